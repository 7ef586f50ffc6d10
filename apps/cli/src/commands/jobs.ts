import { Argument, Command, Option } from 'commander';
import type { Job } from '#client/job-answer';
import { failureOf } from '#client/job-questions';
import { VarveError } from '#core/error';
import { type JobState, jobStates } from '#core/job';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { jobLine, jobTable, jobText } from '../job-text.js';
import type { Session } from '../session.js';

interface Options {
  readonly state?: JobState;
}

/** `varve jobs [ls|show|retry|cancel|watch] [ID]` */
export function jobsCommand(run: Run): Command {
  const command = new Command('jobs')
    .description(
      'Shows the jobs that make tarballs for checkout --delivery=redirect. ls: all of them, changed last first; show: ' +
        'one; watch: one, until it is over; retry: begin one again that failed, was set aside (dead) or cancelled; ' +
        'cancel: end one.',
    )
    .addArgument(
      new Argument('[what]', 'what of them').choices(['ls', 'show', 'watch', 'retry', 'cancel']).default('ls'),
    )
    .argument('[id]', 'of the job; for all but ls')
    .addOption(new Option('--state <state>', 'for ls: only these').choices(jobStates))
    .action(
      run<Options>(async (session, { state }, [what = 'ls', id]) => {
        if (what === 'ls') return list(session, { state, id });
        if (id === undefined) throw new VarveError('REQUEST_INVALID', `say which job: varve jobs ${what} ID`);
        if (state !== undefined) throw new VarveError('REQUEST_INVALID', '--state is for varve jobs ls');
        const { client, output } = session;
        if (what === 'watch') return watch(session, id);
        if (what === 'show') return output.answer(await client.jobs.show(id), jobText);
        const changed = what === 'retry' ? await client.jobs.retry(id) : await client.jobs.cancel(id);
        return output.answer(changed, jobText);
      }),
    );
  return withHelp(
    command,
    ['varve jobs', 'varve jobs ls --state dead', 'varve jobs watch 5326fc3b8f4b65cecbfd8ecae609914f'],
    [1, 2, 3, 5, 130],
  );
}

async function list(
  { client, output }: Session,
  { state, id }: { readonly state: JobState | undefined; readonly id: string | undefined },
): Promise<void> {
  if (id !== undefined) throw new VarveError('REQUEST_INVALID', `varve jobs ls takes no id: varve jobs show ${id}`);
  const jobs: Job[] = [];
  for await (const job of client.jobs.list({ state })) jobs.push(job);
  await output.answer(jobs, jobTable);
}

/** A job that ends without a tarball ends this with its error. */
async function watch({ client, output }: Session, id: string): Promise<void> {
  let last: Job | undefined;
  for await (const job of client.jobs.watch(id)) {
    last = job;
    await output.entry(job, jobLine);
    await output.flush();
  }
  const failure = last && failureOf(last);
  if (failure) throw failure;
}
