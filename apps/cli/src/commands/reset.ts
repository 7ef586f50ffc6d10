import { Command } from 'commander';
import { withHelp } from '../help.js';
import { moveText } from '../move-text.js';
import { branchRefOf } from '../ref-text.js';
import { stateOf } from '../ref-state.js';
import type { Run } from '../in-session.js';

interface Options {
  readonly message?: string;
  readonly expect?: string;
  readonly idempotencyKey?: string;
}

/** `varve reset BRANCH REV` */
export function resetCommand(run: Run): Command {
  const command = new Command('reset')
    .description(
      'Points a branch at any commit. What it leaves behind stays in its reflog: BRANCH@{1} is where it was.',
    )
    .argument('<branch>')
    .argument('<rev>')
    .option('-m, --message <reason>', 'why, for the reflog')
    .option('--expect <commit.version>', 'only if the branch is still there (as refs --json says)')
    .option('--idempotency-key <key>', 'makes retries one write')
    .action(
      run<Options>(async (session, { message: reason, expect, idempotencyKey }, [branch = '', rev = '']) => {
        const repo = await session.repository();
        const ref = branchRefOf(branch);
        const lease = expect ?? (await stateOf(session.client, repo, ref));
        const move = { to: rev, mode: 'force', operation: 'reset', reason, expect: lease, idempotencyKey } as const;
        await session.output.answer(await session.client.moveRef(repo, ref, move), moveText);
      }),
    );
  return withHelp(command, ['varve reset main main~3', 'varve reset main main@{1} -m "undo"'], [2, 3, 4, 5]);
}
