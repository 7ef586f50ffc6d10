import { Command } from 'commander';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { moveText } from '../move-text.js';

interface Options {
  readonly message?: string;
  readonly idempotencyKey?: string;
}

/** `varve restore REF` */
export function restoreCommand(run: Run): Command {
  const command = new Command('restore')
    .description(
      'Makes a deleted branch or tag again, where it was. Nothing of a deleted ref is lost: its reflog stays.',
    )
    .argument('<ref>', 'NAME, heads/NAME or tags/NAME; a bare name is a tag first, then a branch')
    .option('-m, --message <reason>', 'why, for the reflog')
    .option('--idempotency-key <key>', 'makes retries one write')
    .action(
      run<Options>(async (session, { message: reason, idempotencyKey }, [name = '']) => {
        const repo = await session.repository();
        await session.output.answer(await session.client.restoreRef(repo, name, { reason, idempotencyKey }), moveText);
      }),
    );
  return withHelp(command, ['varve restore fix', 'varve restore tags/v1.2 -m "it was the wrong tag"'], [2, 3, 4, 5]);
}
