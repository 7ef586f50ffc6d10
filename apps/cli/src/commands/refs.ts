import { Command } from 'commander';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';

/** `varve refs`: plumbing; `branch` and `tag` list their own. */
export function refsCommand(run: Run): Command {
  const command = new Command('refs')
    .description('Lists branches and tags with their commits, as git show-ref does.')
    .option('--contains <rev>', 'only those from which this commit can be reached')
    .action(
      run<{ readonly contains?: string }>(async (session, { contains }) => {
        const refs = await session.client.refs(await session.repository(), { contains });
        await session.output.answer(refs, () => refs.map(({ commit, ref }) => `${commit} ${ref}`).join('\n'));
      }),
    );
  return withHelp(
    command,
    ['varve refs', 'varve refs --contains 8dbd9e39', "varve refs --json | jq -r '.[].ref'"],
    [2, 3, 5],
  );
}
