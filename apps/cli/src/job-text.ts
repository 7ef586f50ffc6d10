import type { Job } from '#client/job-answer';
import { humanAge } from './age.js';
import { shortId } from './ref-text.js';
import { humanSize } from './size.js';
import { table } from './table.js';
import { lineText } from './path-text.js';

export function jobTable(jobs: readonly Job[]): string {
  return table(
    ['JOB', 'STATE', 'REPOSITORY', 'COMMIT', 'FORMAT', 'CHANGED', 'WHAT'],
    jobs.map((job) => [
      job.id,
      job.state,
      job.repo,
      shortId(job.commit),
      job.format,
      humanAge(job.changedAt, Date.now()),
      what(job),
    ]),
  );
}

export function jobText(job: Job): string {
  const { id, state, repo, commit, format, worker, attempts, lostLeases, tarball, failure, nextTryAt } = job;
  const rows: (readonly [string, string | null])[] = [
    ['job', id],
    ['state', job.cancelRequested ? `${state}, to be cancelled` : state],
    ['of', `${repo} ${commit}`],
    ['format', format],
    ['created', job.createdAt],
    ['changed', job.changedAt],
    ['next try', nextTryAt],
    ['worker', worker],
    ['tries failed', attempts > 0 ? String(attempts) : null],
    ['workers lost', lostLeases > 0 ? String(lostLeases) : null],
    ['progress', job.progress && progressText(job)],
    ['failure', failure && `${failure.code}: ${lineText(failure.message)}`],
    ['tarball', tarball && `${humanSize(tarball.sizeBytes)}, ${tarball.digest}`],
    ['url', tarball && tarball.url],
  ];
  return rows.flatMap(([name, value]) => (value === null ? [] : [`${name.padEnd(13)}${value}`])).join('\n');
}

/** One line each time it changes. */
export function jobLine(job: Job): string {
  return [job.state, what(job)].filter(Boolean).join('  ');
}

function what(job: Job): string {
  const { state, failure, tarball } = job;
  if (state === 'running') return job.cancelRequested ? 'to be cancelled' : progressText(job);
  if (state === 'done') return tarball ? humanSize(tarball.sizeBytes) : 'not kept any more';
  return failure && state !== 'cancelled' ? `${failure.code}: ${lineText(failure.message)}` : '';
}

function progressText({ progress }: Job): string {
  if (!progress) return '';
  const { phase, doneBytes, totalBytes } = progress;
  if (totalBytes === null) return phase;
  return `${phase} ${humanSize(doneBytes)} of ${humanSize(totalBytes)}`;
}
