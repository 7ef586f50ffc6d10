import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { TarballSources } from '#materialize/assemble-tarball';
import { TarballSweeper } from '#materialize/sweep-tarballs';
import { TarballWorker, type WorkedJob } from '#materialize/tarball-worker';
import type { JobQueue } from '#ports/job-queue';
import { systemClock } from './system-clock.js';

export interface TarballWorkOptions {
  readonly jobs: JobQueue;
  readonly budgetBytes: number;
  readonly logger: Logger;
}

/**
 * Starts a worker on the jobs and what keeps the tarballs within their budget. Any number of processes may do so. When
 * `opened` is closed, the job in hand is given back.
 */
export function startTarballWork(
  sources: TarballSources,
  { jobs, budgetBytes, logger }: TarballWorkOptions,
  opened: AsyncDisposableStack,
): void {
  const onError = (error: unknown): void => logger.error({ err: error }, 'the job queue or a tarball is damaged');
  const shared = { queue: jobs, blobs: sources.blobs, clock: systemClock };
  const sweeper = new TarballSweeper({ ...shared, budgetBytes }, onError);
  sweeper.start();
  opened.defer(() => sweeper.stop());
  const worker = new TarballWorker({
    ...sources,
    ...shared,
    // In containers the process is always the same one, and the machine may be too.
    name: `${hostname()} ${process.pid} ${randomBytes(3).toString('hex')}`,
    random: () => randomBytes(16),
    onWorked: (worked) => {
      logWorked(logger, worked);
      if (worked.outcome === 'published') sweeper.sweepSoon();
    },
    onError,
  });
  worker.start();
  opened.defer(() => worker.stop());
}

function logWorked(logger: Logger, { job, outcome, failure, sizeBytes, durationMs }: WorkedJob): void {
  const { id, wish, attempts, lostLeases } = job;
  const line = {
    job: id,
    repository: wish.repo,
    commit: wish.commit,
    format: wish.format,
    outcome,
    code: failure?.code,
    attempts,
    lost_leases: lostLeases,
    size_bytes: sizeBytes,
    duration_ms: Math.round(durationMs),
  };
  if (failure) logger.error(line, failure.message);
  else logger.info(line, 'job');
}
