import type { Job, JobState } from '#core/job';
import type { JobQueue } from '#ports/job-queue';
import { nextNotice } from '#ports/next-notice';

/** Notices between processes may get lost. */
const pollMs = 500;

const overStates: ReadonlySet<JobState> = new Set<JobState>(['done', 'failed', 'dead', 'cancelled']);

export function isOver({ state }: Pick<Job, 'state'>): boolean {
  return overStates.has(state);
}

/** The job when it is over, or as it is when the time is up. @throws the reason of the signal, UNAVAILABLE */
export async function awaitJob(
  jobs: JobQueue,
  job: Job,
  { waitMs, signal }: { readonly waitMs: number; readonly signal: AbortSignal },
): Promise<Job> {
  const deadline = performance.now() + waitMs;
  let last = job;
  while (!isOver(last) && performance.now() < deadline) {
    await nextChange(jobs, last, Math.min(pollMs, deadline - performance.now()), signal);
    signal.throwIfAborted();
    // Forgotten: it was over for long.
    const now = await jobs.get(last.id);
    if (!now) return last;
    last = now;
  }
  return last;
}

/** The job whenever it changes, until it is over; `undefined` when nothing changed for so long. @throws UNAVAILABLE */
export async function* watchJob(
  jobs: JobQueue,
  job: Job,
  { quietMs, signal }: { readonly quietMs: number; readonly signal: AbortSignal },
): AsyncGenerator<Job | undefined> {
  let told = '';
  let last: Job | undefined = job;
  let toldAt = performance.now();
  while (last && !signal.aborted) {
    const text = JSON.stringify(last);
    const isQuiet = performance.now() - toldAt >= quietMs;
    if (text !== told || isQuiet) {
      yield text === told ? undefined : last;
      told = text;
      toldAt = performance.now();
    }
    if (isOver(last)) return;
    await nextChange(jobs, last, pollMs, signal);
    last = await jobs.get(job.id);
  }
}

function nextChange(jobs: JobQueue, { id }: Job, waitMs: number, signal: AbortSignal): Promise<void> {
  return nextNotice(
    (notice) =>
      jobs.onChanged((changed) => {
        if (changed === id) notice();
      }),
    waitMs,
    signal,
  );
}
