import { type ErrorCode, VarveError } from '#core/error';
import type { CommitRow } from '#core/graph-row';
import type { Job, JobId, RootfsFormat, RootfsWish, Tarball } from '#core/job';
import { tarballAddress } from '#materialize/assemble-tarball';
import { isTarballName, tarballName } from '#materialize/tarball-name';
import type { Engine } from '../engine.js';
import { awaitJob } from './await-job.js';

/** What a door needs for tarballs that lie ready. */
export type TarballStores = Pick<Engine, 'jobs' | 'blobs'>;

/** A tarball that lies ready and where to fetch it, or the job that makes it. */
export type Delivery =
  | { readonly type: 'ready'; readonly tarball: Tarball; readonly url: string }
  | { readonly type: 'job'; readonly job: Job };

/** How long a presigned URL holds, and the tarball behind it is kept. */
export const urlSeconds = 3_600;

export function wishOf({ repo, id, chainId }: CommitRow, format: RootfsFormat): RootfsWish {
  return { name: tarballName(chainId, format), repo, commit: id, chainId, format };
}

/**
 * Has the tarball made if it is not there, and waits for it so long. A job that ended otherwise is its failure, as one who
 * streams would meet it. Nobody else's wish ends because a caller leaves.
 * @throws the code of a job that failed; JOB_FAILED for one that was set aside or cancelled; CANCELLED, UNAVAILABLE
 */
export async function deliverTarball(
  stores: TarballStores,
  wish: RootfsWish,
  { waitMs, signal }: { readonly waitMs: number; readonly signal: AbortSignal },
): Promise<Delivery> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const ensured = await stores.jobs.ensure(wish);
    if (ensured.type === 'ready') {
      const url = await urlOf(stores, ensured.tarball);
      if (url !== undefined) return { type: 'ready', tarball: ensured.tarball, url };
      continue;
    }
    const leftMs = deadline - performance.now();
    const job = await awaitJob(stores.jobs, ensured.job, { waitMs: leftMs, signal });
    if (job.state === 'waiting' || job.state === 'running') return { type: 'job', job };
    if (job.state !== 'done') throw failureOf(job);
  }
}

/**
 * From where the bytes can be fetched for the next hour: straight from an object store that presigns, else from us.
 * Undefined: they are not there any more, and the pointer was withdrawn.
 */
export async function urlOf({ jobs, blobs }: TarballStores, tarball: Tarball): Promise<string | undefined> {
  const address = tarballAddress(tarball);
  if (!(await jobs.pin(tarball.name, Date.now() + urlSeconds * 1_000))) return undefined;
  if ((await blobs.stat(address)) === undefined) {
    await jobs.withdraw(tarball);
    return undefined;
  }
  return blobs.presign ? blobs.presign(address, urlSeconds) : ownUrlOf(tarball);
}

/** Holds as long as the tarball is kept, and leads to the bytes whatever store they are in. */
export function ownUrlOf({ name }: Pick<Tarball, 'name'>): string {
  return `/api/v1/tarballs/${name}`;
}

/** @throws BLOB_UNKNOWN */
export async function knownTarball({ jobs }: Pick<Engine, 'jobs'>, name: string): Promise<Tarball> {
  const tarball = isTarballName(name) ? await jobs.tarball(name) : undefined;
  if (tarball) return tarball;
  throw new VarveError(
    'BLOB_UNKNOWN',
    `no tarball lies ready under the name "${name}"; ask for it with delivery=redirect`,
    {
      name,
    },
  );
}

/** @throws JOB_UNKNOWN */
export async function knownJob({ jobs }: Pick<Engine, 'jobs'>, id: JobId): Promise<Job> {
  const job = await jobs.get(id);
  if (job) return job;
  throw unknownJob(id);
}

export function unknownJob(id: string): VarveError {
  return new VarveError('JOB_UNKNOWN', `there is no job ${id}; one that is over is forgotten after an hour`, { id });
}

function failureOf({ id, state, attempts, lastFailure }: Job): VarveError {
  const detail = { job: id, state, attempts, failure: lastFailure };
  const why = lastFailure === null ? '' : `: ${lastFailure.code}: ${lastFailure.message}`;
  if (state === 'cancelled')
    return new VarveError('JOB_FAILED', `job ${id} was cancelled; ask again for a new try`, detail);
  if (state === 'dead') {
    const message = `job ${id} was set aside${why}; mend the cause, then: varve jobs retry ${id}`;
    return new VarveError('JOB_FAILED', message, detail);
  }
  const code: ErrorCode = lastFailure?.code ?? 'INTERNAL';
  return new VarveError(code, lastFailure?.message ?? `job ${id} failed`, detail);
}
