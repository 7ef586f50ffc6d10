import type { Job, JobFailure, JobId, JobProgress, RootfsWish, Tarball, TarballKey } from '#core/job';
import {
  cancelled,
  claimed,
  completed,
  failed,
  forgottenAt,
  isHeld,
  jobIdOf,
  jobRule,
  lapsed,
  newJob,
  progressed,
  released,
  renewed,
  retried,
  wanted,
} from '#core/job-step';
import type { Clock } from '#ports/clock';
import type { Completed, Ensured, Held, Hold, JobQueue } from '#ports/job-queue';
import type { JobTable, KeptTarball } from './job-table.js';

/** What a queue needs besides its table. `random` from 0 up to 1 makes the jitter. */
export interface LeaseQueueOptions {
  readonly clock: Clock;
  readonly random?: () => number;
}

const usedMs = 5 * 60_000;
const evictedMs = 15 * 60_000;
const pageSize = 100;
const claimPageSize = 16;

/** The queue over any table: reads a job, asks the rules what becomes of it, and swaps it if nobody was faster. */
export class LeaseQueue implements JobQueue {
  readonly #table: JobTable;
  readonly #clock: Clock;
  readonly #random: () => number;

  constructor(table: JobTable, { clock, random = Math.random }: LeaseQueueOptions) {
    this.#table = table;
    this.#clock = clock;
    this.#random = random;
  }

  async ensure(wish: RootfsWish): Promise<Ensured> {
    const tarball = await this.tarball(wish.name);
    if (tarball) return { type: 'ready', tarball };
    const job = await this.#step(jobIdOf(wish.name), (held, now) =>
      held ? wanted(held, wish, now) : newJob(wish, now),
    );
    return { type: 'job', job: job as Job };
  }

  async claim(worker: string): Promise<Job | undefined> {
    for (;;) {
      const now = this.#clock.now();
      const due = await this.#table.due(now, claimPageSize);
      if (due.length === 0) return undefined;
      for (const before of due) {
        const after = before.state === 'running' ? lapsed(before, now) : claimed(before, worker, now);
        const swapped = await this.#table.swap({ before, after });
        if (swapped === 'swapped' && after.state === 'running') return after;
      }
    }
  }

  async renew(held: Held): Promise<Hold> {
    return this.#whileHeld(held, renewed);
  }

  async progress(held: Held, progress: JobProgress): Promise<Hold> {
    return this.#whileHeld(held, (job) => progressed(job, progress));
  }

  async fail(held: Held, failure: JobFailure, isPermanent: boolean): Promise<Hold> {
    return this.#whileHeld(held, (job, now) => failed(job, failure, isPermanent, now, this.#random));
  }

  async release(held: Held): Promise<Hold> {
    return this.#whileHeld(held, released);
  }

  async complete({ id, fence }: Held, tarball: Tarball): Promise<Completed> {
    for (;;) {
      const before = await this.#table.read(id);
      const other = (await this.#table.tarball(tarball.name))?.tarball;
      if (!before || !isHeld(before, fence)) return { isPublished: false, ...(other && { other }) };
      const now = this.#clock.now();
      const publish = other ? {} : { publish: tarball, pinnedUntil: now + jobRule.freshMs };
      const swapped = await this.#table.swap({ before, after: completed(before, now), ...publish });
      if (swapped === 'gone') return { isPublished: false };
      if (swapped === 'swapped') return other ? { isPublished: false, other } : { isPublished: true };
    }
  }

  async cancel(id: JobId): Promise<Job | undefined> {
    return this.#step(id, (job, now) => job && cancelled(job, now));
  }

  async retry(id: JobId): Promise<Job | undefined> {
    return this.#step(id, (job, now) => job && retried(job, now));
  }

  async get(id: JobId): Promise<Job | undefined> {
    return this.#table.read(id);
  }

  async list(page: Parameters<JobQueue['list']>[0]): Promise<readonly Job[]> {
    return this.#table.list(page);
  }

  onChanged(listener: (id: JobId) => void): () => void {
    return this.#table.onChanged(listener);
  }

  async tarball(name: string): Promise<Tarball | undefined> {
    const kept = await this.#table.tarball(name);
    const now = this.#clock.now();
    if (kept && now - kept.usedAt >= usedMs) await this.#table.touch(name, now);
    return kept?.tarball;
  }

  async pin(name: string, until: number): Promise<boolean> {
    return this.#table.pin(name, until);
  }

  async *tarballs(): AsyncGenerator<Tarball> {
    for await (const { tarball } of this.#longestUnused()) yield tarball;
  }

  async evict(budgetBytes: number): Promise<readonly Tarball[]> {
    const evicted: Tarball[] = [];
    let total = await this.#table.tarballBytes();
    for await (const { tarball } of this.#longestUnused()) {
      if (total <= budgetBytes) break;
      const now = this.#clock.now();
      if (!(await this.#table.unpublish(tarball, now, now + evictedMs))) continue;
      total -= tarball.sizeBytes;
      evicted.push(tarball);
    }
    return evicted;
  }

  async withdraw(tarball: Tarball): Promise<void> {
    await this.#table.unpublish(tarball, Number.MAX_SAFE_INTEGER, this.#clock.now());
  }

  async discard(key: TarballKey, dueAt: number): Promise<void> {
    await this.#table.discard(key, dueAt);
  }

  async isDiscarded(key: TarballKey): Promise<boolean> {
    return this.#table.isDiscarded(key);
  }

  async due(limit: number): Promise<readonly TarballKey[]> {
    return this.#table.takeDue(this.#clock.now(), limit);
  }

  async forget(key: TarballKey): Promise<void> {
    await this.#table.forget(key);
  }

  async prune(): Promise<number> {
    const now = this.#clock.now();
    let count = 0;
    for (const [states, keptMs] of [
      [['done', 'failed', 'cancelled'], jobRule.keptMs],
      [['dead'], jobRule.deadKeptMs],
    ] as const) {
      for (const before of await this.#table.unchanged(states, now - keptMs, pageSize)) {
        if ((forgottenAt(before) ?? Infinity) > now) continue;
        if ((await this.#table.swap({ before, after: undefined })) === 'swapped') count += 1;
      }
    }
    return count;
  }

  async close(): Promise<void> {
    await this.#table.close();
  }

  /** Makes the step that `next` says, again while others change the job at the same time; none when it says so. */
  async #step(id: JobId, next: (job: Job | undefined, now: number) => Job | undefined): Promise<Job | undefined> {
    for (;;) {
      const before = await this.#table.read(id);
      const after = next(before, this.#clock.now());
      if (after === before || !after) return after;
      if ((await this.#table.swap({ before, after })) === 'swapped') return after;
    }
  }

  async #whileHeld({ id, fence }: Held, next: (job: Job, now: number) => Job): Promise<Hold> {
    let hold: Hold = 'lost';
    await this.#step(id, (job, now) => {
      const isMine = job !== undefined && isHeld(job, fence);
      hold = isMine ? (job.isCancelRequested ? 'cancelled' : 'held') : 'lost';
      return isMine ? next(job, now) : job;
    });
    return hold;
  }

  /** In pages, so that what is removed meanwhile does not matter. */
  async *#longestUnused(): AsyncGenerator<KeptTarball> {
    let page = await this.#table.unused(undefined, pageSize);
    while (page.length > 0) {
      yield* page;
      page = await this.#table.unused(page.at(-1), pageSize);
    }
  }
}
