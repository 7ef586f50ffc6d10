import { VarveError } from '#core/error';
import { type Job, jobStates, type JobState } from '#core/job';
import { limit } from '#core/limit';
import { type Job as JobMessage, JobServiceService, type JobServiceServer } from '#proto/gen/varve/v1/job';
import { watchJob } from '../command/await-job.js';
import { knownJob, unknownJob } from '../command/deliver-tarball.js';
import { jobIdIn, listJobs } from '../command/list-jobs.js';
import type { Engine } from '../engine.js';
import { renderJob } from '../rest/render-job.js';
import { absent } from './absent.js';
import { pageOf } from './batch.js';
import type { Calls } from './calls.js';
import { pageSizeOf } from './request.js';
import type { Served } from './served.js';

const jobBytes = 2_000;
const quietMs = 60_000;

export function jobService(engine: Engine, calls: Calls): Served {
  const { jobs } = engine;
  const changed = async (id: string, job: Job | undefined) => {
    if (!job) throw unknownJob(id);
    return { job: await jobMessage(engine, job) };
  };
  const server: JobServiceServer = {
    listJobs: calls.stream(async function* ({ state, pageSize, cursor }) {
      const size = pageSizeOf(pageSize, { standard: 100, max: limit.pageMax });
      const page = await listJobs(engine, { state: stateOf(state), limit: size, cursor });
      const told = await Promise.all(page.jobs.map((job) => jobMessage(engine, job)));
      yield* pageOf(told, () => jobBytes, (some, isLast) => ({ jobs: some, cursor: isLast ? (page.cursor ?? undefined) : undefined })); // prettier-ignore
    }),
    getJob: calls.ask(async ({ job: id }) => ({ job: await jobMessage(engine, await knownJob(engine, jobIdIn(id))) })),
    watchJob: calls.stream(async function* ({ job: id }, { signal }) {
      const job = await knownJob(engine, jobIdIn(id));
      for await (const now of watchJob(jobs, job, { quietMs, signal }))
        if (now) yield { job: await jobMessage(engine, now) };
    }),
    retryJob: calls.write(async ({ job: id }) => changed(id, await jobs.retry(jobIdIn(id)))),
    cancelJob: calls.write(async ({ job: id }) => changed(id, await jobs.cancel(jobIdIn(id)))),
  };
  return { definition: JobServiceService, server };
}

export async function jobMessage({ jobs }: Pick<Engine, 'jobs'>, job: Job): Promise<JobMessage> {
  const tarball = job.state === 'done' ? await jobs.tarball(job.wish.name) : undefined;
  return absent(renderJob(job, tarball));
}

/** @throws REQUEST_INVALID */
function stateOf(given: string | undefined): JobState | undefined {
  if (given === undefined) return undefined;
  const state = jobStates.find((known) => known === given);
  if (state) return state;
  throw new VarveError('REQUEST_INVALID', `state is "${given}": expected one of ${jobStates.join(', ')}`, { given });
}
