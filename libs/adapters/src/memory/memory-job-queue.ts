import type { Job, JobId, Tarball, TarballKey } from '#core/job';
import type { JobQueue } from '#ports/job-queue';
import { JobListeners, type JobSwap, type JobTable, type KeptTarball, type Swapped } from '../job-table.js';
import { LeaseQueue, type LeaseQueueOptions } from '../lease-queue.js';

/** A queue that is forgotten when the process ends. */
export function openMemoryJobQueue(options: LeaseQueueOptions): JobQueue {
  return new LeaseQueue(new MemoryJobTable(), options);
}

interface Discard {
  readonly key: TarballKey;
  readonly dueAt: number;
  readonly isTaken: boolean;
}

/** Jobs are values that nobody changes, so what was read is what is there as long as it is the same value. */
class MemoryJobTable implements JobTable {
  readonly #jobs = new Map<JobId, Job>();
  readonly #tarballs = new Map<string, KeptTarball>();
  readonly #discards = new Map<string, Discard>();
  readonly #listeners = new JobListeners();

  async read(id: JobId): Promise<Job | undefined> {
    return this.#jobs.get(id);
  }

  async due(now: number, limit: number): Promise<readonly Job[]> {
    return [...this.#jobs.values()]
      .filter(({ dueAt }) => dueAt !== null && dueAt <= now)
      .toSorted((a, b) => (a.dueAt as number) - (b.dueAt as number))
      .slice(0, limit);
  }

  async list({ state, after, limit }: Parameters<JobTable['list']>[0]): Promise<readonly Job[]> {
    return [...this.#jobs.values()]
      .filter((job) => (state === undefined || job.state === state) && (after === undefined || order(after, job) < 0))
      .toSorted(order)
      .slice(0, limit);
  }

  async unchanged(states: readonly Job['state'][], before: number, limit: number): Promise<readonly Job[]> {
    const old = [...this.#jobs.values()].filter(({ state, changedAt }) => states.includes(state) && changedAt < before);
    return old.slice(0, limit);
  }

  async swap({ before, after, publish, pinnedUntil = 0 }: JobSwap): Promise<Swapped> {
    const id = (after ?? before)?.id as JobId;
    if (this.#jobs.get(id) !== before) return 'changed';
    if (publish) {
      if (this.#tarballs.has(publish.name)) return 'taken';
      const discard = this.#discards.get(keyText(publish));
      if (!discard || discard.isTaken) return 'gone';
      this.#discards.delete(keyText(publish));
      this.#tarballs.set(publish.name, { tarball: publish, usedAt: publish.createdAt, pinnedUntil });
    }
    if (after) this.#jobs.set(id, after);
    else this.#jobs.delete(id);
    this.#listeners.tell(id);
    return 'swapped';
  }

  onChanged(listener: (id: JobId) => void): () => void {
    return this.#listeners.add(listener);
  }

  async tarball(name: string): Promise<KeptTarball | undefined> {
    return this.#tarballs.get(name);
  }

  async pin(name: string, pinnedUntil: number): Promise<boolean> {
    const kept = this.#tarballs.get(name);
    if (kept) this.#tarballs.set(name, { ...kept, pinnedUntil: Math.max(kept.pinnedUntil, pinnedUntil) });
    return kept !== undefined;
  }

  async touch(name: string, usedAt: number): Promise<void> {
    const kept = this.#tarballs.get(name);
    if (kept) this.#tarballs.set(name, { ...kept, usedAt: Math.max(kept.usedAt, usedAt) });
  }

  async unused(after: Parameters<JobTable['unused']>[0], limit: number): Promise<readonly KeptTarball[]> {
    return [...this.#tarballs.values()]
      .filter((kept) => after === undefined || byUse(after, kept) < 0)
      .toSorted(byUse)
      .slice(0, limit);
  }

  async tarballBytes(): Promise<number> {
    return [...this.#tarballs.values()].reduce((sum, { tarball }) => sum + tarball.sizeBytes, 0);
  }

  async unpublish(tarball: Tarball, now: number, dueAt: number): Promise<boolean> {
    const kept = this.#tarballs.get(tarball.name);
    if (!kept || kept.tarball.key !== tarball.key || kept.pinnedUntil > now) return false;
    this.#tarballs.delete(tarball.name);
    await this.discard(tarball, dueAt);
    return true;
  }

  async discard({ key, version }: TarballKey, dueAt: number): Promise<void> {
    const name = keyText({ key, version });
    const there = this.#discards.get(name);
    if (there?.isTaken || [...this.#tarballs.values()].some(({ tarball }) => tarball.key === key)) return;
    this.#discards.set(name, { key: { key, version }, dueAt: Math.max(dueAt, there?.dueAt ?? 0), isTaken: false });
  }

  async isDiscarded(key: TarballKey): Promise<boolean> {
    return this.#discards.has(keyText(key));
  }

  async takeDue(now: number, limit: number): Promise<readonly TarballKey[]> {
    const due = [...this.#discards].filter(([, { dueAt }]) => dueAt <= now).slice(0, limit);
    for (const [name, discard] of due) this.#discards.set(name, { ...discard, isTaken: true });
    return due.map(([, { key }]) => key);
  }

  async forget(key: TarballKey): Promise<void> {
    this.#discards.delete(keyText(key));
  }

  async close(): Promise<void> {}
}

function keyText({ key, version }: TarballKey): string {
  return `${version}/${key}`;
}

/** Changed last first. */
function order(a: Pick<Job, 'id' | 'changedAt'>, b: Pick<Job, 'id' | 'changedAt'>): number {
  return b.changedAt - a.changedAt || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);
}

function byUse(a: Pick<KeptTarball, 'usedAt' | 'tarball'>, b: Pick<KeptTarball, 'usedAt' | 'tarball'>): number {
  const [x, y] = [a.tarball.name, b.tarball.name];
  return a.usedAt - b.usedAt || (x < y ? -1 : x > y ? 1 : 0);
}
