import { VarveError } from '#core/error';
import type { Job, JobId, JobState } from '#core/job';
import { isJobId } from '#core/job-step';
import type { JobPlace } from '#ports/job-queue';
import type { Engine } from '../engine.js';
import { unknownJob } from './deliver-tarball.js';

/** One page, changed last first; `cursor` null: there is none behind it. @throws REQUEST_INVALID for a cursor that is none */
export async function listJobs(
  { jobs }: Pick<Engine, 'jobs'>,
  asked: { readonly state: JobState | undefined; readonly limit: number; readonly cursor: string | undefined },
): Promise<{ readonly jobs: readonly Job[]; readonly cursor: string | null }> {
  const { state, limit, cursor } = asked;
  const found = await jobs.list({ state, limit, after: cursor === undefined ? undefined : placeOf(cursor) });
  const last = found.length === limit ? found.at(-1) : undefined;
  return { jobs: found, cursor: last ? `${last.changedAt}.${last.id}` : null };
}

/** @throws JOB_UNKNOWN for what can be no id */
export function jobIdIn(text: string): JobId {
  if (isJobId(text)) return text;
  throw unknownJob(text);
}

function placeOf(cursor: string): JobPlace {
  const [, changedAt, id = ''] = /^(\d{1,15})\.([0-9a-f]{32})$/.exec(cursor) ?? [];
  if (isJobId(id)) return { changedAt: Number(changedAt), id };
  throw new VarveError('REQUEST_INVALID', `"${cursor}" is not the cursor of a page of jobs`, { cursor });
}
