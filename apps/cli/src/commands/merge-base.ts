import { Command } from 'commander';
import { VarveError } from '#core/error';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';

interface Options {
  readonly all?: boolean;
}

/** `varve merge-base A B` */
export function mergeBaseCommand(run: Run): Command {
  const command = new Command('merge-base')
    .description('Prints the best common ancestor of two commits: the newest, when there are several.')
    .argument('<a>', 'a revision')
    .argument('<b>', 'a revision')
    .option('--all', 'all of them: none is an ancestor of another')
    .action(
      run<Options>(async (session, { all }, [a = '', b = '']) => {
        const repo = await session.repository();
        const bases = await session.client.files.mergeBase(repo, a, b);
        if (bases.length === 0) {
          throw new VarveError('COMMIT_UNKNOWN', `${a} and ${b} have no common ancestor`, { a, b });
        }
        await session.output.answer({ bases }, () => (all === true ? bases : bases.slice(0, 1)).join('\n'));
      }),
    );
  return withHelp(command, ['varve merge-base main v1.2', 'varve merge-base --all left right --json'], [1, 2, 3, 5]);
}
