import { Command } from 'commander';
import { openCheckpoint } from '#audit/checkpoint';
import { readVerifier } from '../audit-input.js';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { checkContinues } from '../proof-link.js';
import { rememberCheckpoint, seenCheckpoints } from '../seen-checkpoints.js';

interface Options {
  readonly key?: string;
}

/** `varve audit checkpoint` */
export function auditCheckpointCommand(run: Run): Command {
  const command = new Command('checkpoint')
    .description(
      'Prints the newest signed checkpoint, having checked that it continues all that this machine has seen, and keeps it. ' +
        'Store the output elsewhere: whoever has it can find out a history that was changed.',
    )
    .option('--key <key>', 'the public key of the log (a file or the text), not what the server says')
    .action(
      run<Options>(async ({ client, output }, { key }) => {
        const verifier = await readVerifier(key ?? (await client.audit.key()));
        const note = await client.audit.checkpoint();
        const checkpoint = openCheckpoint(note, verifier);
        const continues = await checkContinues(client, checkpoint, await seenCheckpoints(checkpoint.origin, verifier));
        await rememberCheckpoint(checkpoint.origin, note);
        if (!continues) output.note('the first checkpoint of this log that this machine has seen');
        const { origin, size } = checkpoint;
        await output.answer({ origin, size, note, continues: continues?.size ?? null }, () => note.trimEnd());
      }),
    );
  return withHelp(
    command.summary('print the newest signed checkpoint'),
    ['varve audit checkpoint > kept.checkpoint', 'varve audit checkpoint --key varve.pub --json | jq .size'],
    [1, 2, 5, 7],
  );
}

/** `varve audit key` */
export function auditKeyCommand(run: Run): Command {
  const command = new Command('key')
    .description('Prints the public key that the server signs with. Compare it, once, over a way you trust.')
    .action(
      run(async ({ client, output }) => {
        const key = await client.audit.key();
        await output.answer({ key }, () => key);
      }),
    );
  return withHelp(command.summary('print the public key'), ['varve audit key > varve.pub'], [5]);
}
