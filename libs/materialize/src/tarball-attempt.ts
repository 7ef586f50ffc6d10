import { digestOf } from '#core/digest';
import { isVarveError } from '#core/error';
import type { Job, JobFailure, JobProgress, Tarball, TarballKey } from '#core/job';
import { jobRule } from '#core/job-step';
import type { Clock } from '#ports/clock';
import type { Hold, JobQueue } from '#ports/job-queue';
import { writerVersion } from '#union/rootfs-plan';
import { assembleTarball, tarballAddress, type TarballSources } from './assemble-tarball.js';

export interface AttemptOptions extends TarballSources {
  readonly queue: JobQueue;
  readonly clock: Clock;
  /** Makes the keys of tries; 16 bytes or more that nobody guesses. */
  readonly random: () => Uint8Array;
  /** How often the lease is renewed; 10 s. */
  readonly renewMs?: number;
}

/** How a try ended. `failed` has its reason; after `lost` the job is none of this worker's business. */
export interface AttemptEnd {
  readonly outcome: 'published' | 'other-published' | 'cancelled' | 'released' | 'lost' | 'failed';
  readonly failure?: JobFailure;
  readonly sizeBytes?: number;
}

/** How long the bytes of a try may lie before they are deleted, from the last sign of life of who made them. */
const tryMs = 15 * 60_000;
const progressEveryMs = 500;

/** Ends a try from within: the job is no longer this worker's to do. */
class Ended extends Error {
  readonly outcome: 'cancelled' | 'released' | 'lost';
  constructor(outcome: Ended['outcome']) {
    super(`the job is ${outcome}`);
    this.outcome = outcome;
  }
}

/**
 * One try at one job, under one key. Renews the lease from a timer while it works. At whatever instant the process dies,
 * no half tarball is published: the bytes are due for deletion before they are visible, and only publishing takes that
 * back.
 */
export class TarballAttempt {
  readonly #job: Job;
  readonly #options: AttemptOptions;
  readonly #key: TarballKey;
  readonly #ending = new AbortController();
  readonly #stopping: AbortSignal;
  /** There are bytes, and they are ours to remove. */
  #isVisible = false;
  #toldAt = -Infinity;
  #toldPhase: JobProgress['phase'] | undefined;

  constructor(job: Job, options: AttemptOptions, stopping: AbortSignal) {
    this.#job = job;
    this.#options = options;
    this.#stopping = stopping;
    const nonce = Buffer.from(options.random()).toString('hex');
    this.#key = { key: digestOf(`${job.wish.name} ${nonce}`), version: writerVersion };
  }

  /** Never throws: what went wrong is the end of the try. */
  async run(): Promise<AttemptEnd> {
    const stop = () => this.#ending.abort(new Ended('released'));
    this.#stopping.addEventListener('abort', stop);
    if (this.#stopping.aborted) stop();
    const renewing = setInterval(() => void this.#renew(), this.#options.renewMs ?? jobRule.renewMs);
    renewing.unref();
    try {
      return await this.#assemble();
    } catch (error) {
      await this.#remove();
      const outcome = outcomeOf(error);
      return outcome === 'failed' ? { outcome, failure: failureOf(error) } : { outcome };
    } finally {
      clearInterval(renewing);
      this.#stopping.removeEventListener('abort', stop);
    }
  }

  async #assemble(): Promise<AttemptEnd> {
    const { queue, clock } = this.#options;
    const { name } = this.#job.wish;
    const made = await assembleTarball(this.#options, this.#job.wish, {
      key: this.#key,
      signal: this.#ending.signal,
      onProgress: (progress) => this.#tell(progress),
      beforeSeal: async () => {
        this.#isVisible = true;
        await this.#keep();
      },
    });
    this.#ending.signal.throwIfAborted();
    // If the queue takes it and its answer is lost, the bytes are wanted: let them lie until they are due, or for good.
    this.#isVisible = false;
    const completed = await queue.complete(this.#job, { name, ...this.#key, ...made, createdAt: clock.now() });
    if (completed.isPublished) return { outcome: 'published', sizeBytes: made.sizeBytes };
    this.#isVisible = true;
    await this.#remove();
    if (!completed.other) return { outcome: 'lost' };
    return completed.other.digest === made.digest ? { outcome: 'other-published' } : differs(made, completed.other);
  }

  /** Before the bytes are visible, and as long as they are worked on. */
  async #keep(): Promise<void> {
    await this.#options.queue.discard(this.#key, this.#options.clock.now() + tryMs);
  }

  async #renew(): Promise<void> {
    try {
      this.#obey(await this.#options.queue.renew(this.#job));
      if (this.#isVisible) await this.#keep();
    } catch {
      // The next one may reach the queue; if none does, the lease runs out, and publishing is refused.
    }
  }

  async #tell(progress: JobProgress): Promise<void> {
    const now = performance.now();
    if (progress.phase === this.#toldPhase && now - this.#toldAt < progressEveryMs) return;
    this.#toldAt = now;
    this.#toldPhase = progress.phase;
    try {
      this.#obey(await this.#options.queue.progress(this.#job, progress));
    } catch (error) {
      // A queue that is away for less than a lease costs nothing.
      if (!isVarveError(error, 'UNAVAILABLE')) throw error;
    }
  }

  #obey(hold: Hold): void {
    if (hold !== 'held') this.#ending.abort(new Ended(hold));
  }

  /** What cannot be removed now is due later. */
  async #remove(): Promise<void> {
    if (!this.#isVisible) return;
    const { blobs, queue } = this.#options;
    try {
      // Nobody may publish it between the two: only this try knows the key, and it has given up.
      await blobs.delete(tarballAddress(this.#key));
      await queue.forget(this.#key);
    } catch {
      // Swept when it is due.
    }
  }
}

function outcomeOf(error: unknown): Ended['outcome'] | 'failed' {
  return error instanceof Ended ? error.outcome : 'failed';
}

function failureOf(error: unknown): JobFailure {
  if (isVarveError(error)) return { code: error.code, message: error.message };
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) };
}

/** Equal names are equal bytes, or something is broken that nobody should download from. */
function differs(made: Pick<Tarball, 'digest'>, other: Tarball): AttemptEnd {
  const message = `two tarballs are named ${other.name}: one with digest ${other.digest}, which lies ready, and this one with ${made.digest}`;
  return { outcome: 'failed', failure: { code: 'CORRUPT', message } };
}
