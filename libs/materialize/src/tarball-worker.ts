import { type ErrorCode, isVarveError } from '#core/error';
import type { Job } from '#core/job';
import { nextNotice } from '#ports/next-notice';
import { type AttemptEnd, type AttemptOptions, TarballAttempt } from './tarball-attempt.js';

/** What a worker tells of each job that it had: for a log line, or nothing. */
export interface WorkedJob extends AttemptEnd {
  readonly job: Job;
  readonly durationMs: number;
}

export interface TarballWorkerOptions extends AttemptOptions {
  /** Tells workers apart: the machine and the process. */
  readonly name: string;
  readonly onWorked?: (worked: WorkedJob) => void;
  /** What went wrong with the queue, but for one that does not answer: that is asked again. */
  readonly onError?: (error: unknown) => void;
}

/** What will be the same however often it is tried. */
const permanentCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'REPOSITORY_UNKNOWN',
  'COMMIT_UNKNOWN',
  'BLOB_UNKNOWN',
  'LAYER_INVALID',
  'LIMIT_EXCEEDED',
  'CORRUPT',
]);

const pollEveryMs = 1_000;

/** Works off the queue, one job at a time, until it is stopped. @see event-log 3.2 */
export class TarballWorker {
  readonly #options: TarballWorkerOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: TarballWorkerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Gives the job in hand back, for the next worker. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Works off one job that is due. False: there is none. @throws UNAVAILABLE */
  async workOne(): Promise<boolean> {
    const { queue, name } = this.#options;
    const job = await queue.claim(name);
    if (job) await this.#work(job);
    return job !== undefined;
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      try {
        if (!(await this.workOne())) await this.#nextWish();
      } catch (error) {
        if (!isVarveError(error, 'UNAVAILABLE')) this.#options.onError?.(error);
        await this.#nextWish();
      }
    }
  }

  async #work(job: Job): Promise<void> {
    const begunAt = performance.now();
    const end = await new TarballAttempt(job, this.#options, this.#stopping.signal).run();
    this.#options.onWorked?.({ job, ...end, durationMs: performance.now() - begunAt });
    const { queue } = this.#options;
    // A queue that cannot be told sees the lease run out.
    if (end.failure) await queue.fail(job, end.failure, permanentCodes.has(end.failure.code));
    else if (end.outcome === 'cancelled' || end.outcome === 'released') await queue.release(job);
  }

  /** Until somebody wishes, a lease may have run out, or it is stopped. Notices may get lost. */
  #nextWish(): Promise<void> {
    const { queue } = this.#options;
    return nextNotice((notice) => queue.onChanged(notice), pollEveryMs, this.#stopping.signal);
  }
}
