import type { TarballKey } from '#core/job';
import { isVarveError } from '#core/error';
import type { BlobStore } from '#ports/blob-store';
import type { Clock } from '#ports/clock';
import type { JobQueue } from '#ports/job-queue';
import { tarballAddress } from './assemble-tarball.js';

export interface SweepOptions {
  readonly queue: JobQueue;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  /** Bytes of tarballs that may lie ready; those longest unused go first. */
  readonly budgetBytes: number;
}

const pageSize = 100;
const sweepEveryMs = 60_000;
const straysEveryMs = 24 * 3_600_000;
/** Long enough for a worker that has stored bytes and not told the queue, which it does before. */
const strayMs = 3_600_000;

/** Keeps the budget, deletes the bytes that are due, and forgets old jobs. Crashing anywhere, it is run again. @throws UNAVAILABLE */
export async function sweepTarballs({ queue, blobs, budgetBytes }: SweepOptions): Promise<void> {
  await queue.evict(budgetBytes);
  for (let due = await queue.due(pageSize); due.length > 0; due = await queue.due(pageSize)) {
    for (const key of due) {
      await blobs.delete(tarballAddress(key));
      await queue.forget(key);
    }
  }
  await queue.prune();
}

/**
 * Makes due what lies in the store and has no pointer: a queue that was lost knows nothing of it. Returns how many.
 * Pointers are read after the bytes are listed, so that what is published meanwhile is no stray. @throws UNAVAILABLE
 */
export async function discardStrays({ queue, blobs, clock }: Omit<SweepOptions, 'budgetBytes'>): Promise<number> {
  const stored = new Map<string, TarballKey>();
  for await (const { address } of blobs.derived('tarball')) stored.set(textOf(address), address);
  if (stored.size === 0) return 0;
  for await (const tarball of queue.tarballs()) stored.delete(textOf(tarball));
  let count = 0;
  for (const { key, version } of stored.values()) {
    if (await queue.isDiscarded({ key, version })) continue;
    await queue.discard({ key, version }, clock.now() + strayMs);
    count += 1;
  }
  return count;
}

function textOf({ key, version }: TarballKey): string {
  return `v${version} ${key}`;
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
