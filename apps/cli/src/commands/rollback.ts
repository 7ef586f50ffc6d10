import { Command } from 'commander';
import { withHelp } from '../help.js';
import { moveText } from '../move-text.js';
import type { Run } from '../in-session.js';

interface Options {
  readonly to: string;
  readonly moveTag?: boolean;
  readonly message?: string;
  readonly idempotencyKey?: string;
}

/** `varve rollback REF --to REV` */
export function rollbackCommand(run: Run): Command {
  const command = new Command('rollback')
    .description('Points a branch or tag back at an earlier commit. It is a move as any other: --to @{1} undoes it.')
    .argument('<ref>', 'a branch or tag')
    .requiredOption('--to <rev>', 'where to: an id, a revision, or @{n} for n moves of this ref ago')
    .option('--move-tags', 'allow it for a tag')
    .option('-m, --message <reason>', 'why, for the reflog')
    .option('--idempotency-key <key>', 'makes retries one write')
    .action(
      run<Options & { readonly moveTags?: boolean }>(async (session, options, [ref = '']) => {
        const { to, moveTags, message: reason, idempotencyKey } = options;
        const repo = await session.repository();
        const moved = await session.client.rollback(repo, {
          ref,
          to,
          moveTag: moveTags === true,
          reason,
          idempotencyKey,
        });
        await session.output.answer(moved, moveText);
      }),
    );
  return withHelp(command, ['varve rollback main --to 8dbd9e39', 'varve rollback main --to @{1}'], [2, 3, 4, 5]);
}
