import type { z } from 'zod';
import type { Job, Tarball } from '#core/job';
import { ownUrlOf } from '../command/deliver-tarball.js';
import { instant } from './answer.js';
import type * as schema from './job-schema.js';

/** `tarball` is what lies ready under the name of the job, if anything does. */
export function renderJob(job: Job, tarball: Tarball | undefined): z.infer<typeof schema.job> {
  const { id, wish, state, createdAt, changedAt, worker, attempts, lostLeases, dueAt, lastFailure, progress } = job;
  return {
    id,
    state,
    repo: wish.repo,
    commit: wish.commit,
    format: wish.format,
    name: wish.name,
    createdAt: instant(createdAt),
    changedAt: instant(changedAt),
    nextTryAt: state === 'waiting' && dueAt !== null ? instant(dueAt) : null,
    worker,
    attempts,
    lostLeases,
    cancelRequested: job.isCancelRequested,
    progress,
    failure: lastFailure,
    tarball: tarball ? renderTarball(tarball) : null,
  };
}

function renderTarball(tarball: Tarball): z.infer<typeof schema.tarball> {
  const { sizeBytes, digest, createdAt } = tarball;
  return { url: ownUrlOf(tarball), sizeBytes, digest, createdAt: instant(createdAt) };
}
