import { isVarveError } from '#core/error';
import type { BlobStore, StoredDerived } from '#ports/blob-store';
import type { Clock } from '#ports/clock';
import type { JobQueue } from '#ports/job-queue';
import { deleteDue } from './due-tarballs.js';
import { tarballProvenance } from './tarball-provenance.js';

export interface SweepOptions {
  readonly queue: JobQueue;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  /** Bytes of tarballs that may lie ready; those longest unused go first. */
  readonly budgetBytes: number;
}

const sweepEveryMs = 60_000;
const straysEveryMs = 24 * 3_600_000;
/** Long enough for a worker that has stored bytes and not told the queue, which it does before. */
const strayMs = 3_600_000;

/** Keeps the budget, deletes the bytes that are due, and forgets old jobs. Crashing anywhere, it is run again. @throws UNAVAILABLE */
export async function sweepTarballs({ queue, blobs, budgetBytes }: SweepOptions): Promise<void> {
  await queue.evict(budgetBytes);
  await deleteDue({ queue, blobs });
  await queue.prune();
}

/**
 * Makes due what lies in the store and has no pointer: a queue that was lost knows nothing of it. Returns how many.
 * @throws UNAVAILABLE
 */
export async function discardStrays(options: Omit<SweepOptions, 'budgetBytes'>): Promise<number> {
  const { queue, blobs, clock } = options;
  const provenance = tarballProvenance(options);
  let count = 0;
  let page: StoredDerived[] = [];
  const discard = async (): Promise<void> => {
    const orphans = await provenance.orphansOf(page);
    for (const { address } of orphans)
      await queue.discard({ key: address.key, version: address.version }, clock.now() + strayMs);
    count += orphans.length;
    page = [];
  };
  for await (const stored of blobs.derived('tarball')) {
    page.push(stored);
    if (page.length === provenance.pageSize) await discard();
  }
  await discard();
  return count;
}

/** Sweeps every minute, and looks for strays at the start and once a day, until it is stopped. */
export class TarballSweeper {
  readonly #options: SweepOptions;
  readonly #report: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #straysAt = -Infinity;

  /** `report` is told of what went wrong, but for stores that do not answer: they are asked again. */
  constructor(options: SweepOptions, report: (error: unknown) => void) {
    this.#options = options;
    this.#report = report;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.sweepSoon(), sweepEveryMs);
    this.sweepSoon();
  }

  /** Behind the sweep that runs. */
  sweepSoon(): void {
    this.#running = this.#running.then(() => this.#sweep());
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  async #sweep(): Promise<void> {
    try {
      await sweepTarballs(this.#options);
      if (performance.now() - this.#straysAt < straysEveryMs) return;
      await discardStrays(this.#options);
      this.#straysAt = performance.now();
    } catch (error) {
      if (!isVarveError(error, 'UNAVAILABLE')) this.#report(error);
    }
  }
}
