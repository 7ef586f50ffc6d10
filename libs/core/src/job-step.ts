import { digestOf, hexOf } from './digest.js';
import type { Job, JobFailure, JobId, JobProgress, JobState, RootfsWish } from './job.js';

/** The numbers of event-log 3.2. */
export const jobRule = {
  leaseMs: 30_000,
  /** How often a worker renews its lease: two may be missed. */
  renewMs: 10_000,
  /** A wish for what failed for good is answered with that failure for so long. */
  failedMs: 60_000,
  backoffFirstMs: 1_000,
  backoffMaxMs: 300_000,
  attemptsMax: 6,
  /** A job that kills its workers looks as if it could succeed for ever. */
  lostLeasesMax: 3,
  /** A tarball is kept so long after it was made, whatever the budget: those who wait for it come to fetch it. */
  freshMs: 5 * 60_000,
  /** How long a job is told of when it is over, and its progress with it. */
  keptMs: 3_600_000,
  /** And one that was set aside, unless somebody retries it. */
  deadKeptMs: 30 * 24 * 3_600_000,
} as const;

export function jobIdOf(name: string): JobId {
  return hexOf(digestOf(`job ${name}`)).slice(0, 32) as JobId;
}

export function isJobId(text: string): text is JobId {
  return /^[0-9a-f]{32}$/.test(text);
}

export function newJob(wish: RootfsWish, now: number): Job {
  return {
    id: jobIdOf(wish.name),
    wish,
    state: 'waiting',
    createdAt: now,
    changedAt: now,
    fence: 0,
    worker: null,
    dueAt: now,
    attempts: 0,
    lostLeases: 0,
    lastFailure: null,
    isCancelRequested: false,
    progress: null,
  };
}

/** The job when its tarball is wanted and not there: the same, or begun again, by the wish that comes now. */
export function wanted(job: Job, wish: RootfsWish, now: number): Job {
  const isOver = job.state === 'done' || job.state === 'cancelled';
  const isStale = job.state === 'failed' && now >= job.changedAt + jobRule.failedMs;
  // The fence goes on growing: a worker of the time before must not take the new job for its own.
  return isOver || isStale ? { ...newJob(wish, now), fence: job.fence } : job;
}

/** @see jobRule.leaseMs */
export function claimed(job: Job, worker: string, now: number): Job {
  const lease = { fence: job.fence + 1, worker, dueAt: now + jobRule.leaseMs };
  return { ...job, state: 'running', changedAt: now, ...lease, progress: null };
}

/** The job, if the one who comes with this fence still holds it. A lease that ran out counts until somebody ends it. */
export function isHeld(job: Job, fence: number): boolean {
  return job.state === 'running' && job.fence === fence;
}

export function renewed(job: Job, now: number): Job {
  return { ...job, dueAt: now + jobRule.leaseMs };
}

export function progressed(job: Job, progress: JobProgress): Job {
  return { ...job, progress };
}

export function completed(job: Job, now: number): Job {
  return { ...over(job, 'done', now), lastFailure: null, progress: null };
}

/** @param random from 0 up to 1: the jitter */
export function failed(job: Job, failure: JobFailure, isPermanent: boolean, now: number, random: () => number): Job {
  const told = { ...job, lastFailure: failure, attempts: job.attempts + 1 };
  if (isPermanent) return over(told, 'failed', now);
  if (job.isCancelRequested) return over(told, 'cancelled', now);
  if (told.attempts >= jobRule.attemptsMax) return over(told, 'dead', now);
  return waiting(told, now, now + backoffMs(job.attempts, random));
}

/** A worker fell silent: killed, out of memory, cut off. */
export function lapsed(job: Job, now: number): Job {
  const lostLeases = job.lostLeases + 1;
  if (job.isCancelRequested) return over({ ...job, lostLeases }, 'cancelled', now);
  if (lostLeases < jobRule.lostLeasesMax) return waiting({ ...job, lostLeases }, now, now);
  const message = `${lostLeases} workers fell silent while they held this job, the last one ${job.worker}`;
  return over({ ...job, lostLeases, lastFailure: { code: 'INTERNAL', message } }, 'dead', now);
}

export function released(job: Job, now: number): Job {
  return job.isCancelRequested ? over(job, 'cancelled', now) : waiting(job, now, now);
}

/** @see JobQueue.cancel */
export function cancelled(job: Job, now: number): Job {
  if (job.state === 'waiting') return over(job, 'cancelled', now);
  return job.state === 'running' ? { ...job, isCancelRequested: true, changedAt: now } : job;
}

/** @see JobQueue.retry */
export function retried(job: Job, now: number): Job {
  const isOver = job.state === 'failed' || job.state === 'dead' || job.state === 'cancelled';
  return isOver ? { ...newJob(job.wish, now), fence: job.fence, lastFailure: job.lastFailure } : job;
}

/** When a job that is over may be forgotten; undefined while it is not over. */
export function forgottenAt({ state, changedAt }: Pick<Job, 'state' | 'changedAt'>): number | undefined {
  if (state === 'waiting' || state === 'running') return undefined;
  return changedAt + (state === 'dead' ? jobRule.deadKeptMs : jobRule.keptMs);
}

/** Full jitter: those that failed together do not come back together. */
function backoffMs(failures: number, random: () => number): number {
  return Math.floor(random() * Math.min(jobRule.backoffMaxMs, jobRule.backoffFirstMs * 2 ** failures));
}

function waiting(job: Job, now: number, dueAt: number): Job {
  return { ...job, state: 'waiting', changedAt: now, dueAt, progress: null };
}

function over(job: Job, state: JobState, now: number): Job {
  return { ...job, state, changedAt: now, dueAt: null, isCancelRequested: false };
}
