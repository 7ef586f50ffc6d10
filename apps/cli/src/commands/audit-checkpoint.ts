import { Command, InvalidArgumentError } from 'commander';
import { openCheckpoint } from '#audit/checkpoint';
import type { NoteVerifier } from '#audit/note';
import type { VarveClient } from '#client/client';
import { readVerifier } from '../audit-input.js';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { checkContinues } from '../proof-link.js';
import { rememberCheckpoint, seenCheckpoints } from '../seen-checkpoints.js';

interface Options {
  readonly key?: string;
  readonly partition?: number;
}

/** `varve audit checkpoint` */
export function auditCheckpointCommand(run: Run): Command {
  const command = new Command('checkpoint')
    .description(
      'Prints the newest signed checkpoint, having checked that it continues all that this machine has seen, and keeps it. ' +
        'Store the output elsewhere: whoever has it can find out a history that was changed. A log of several partitions ' +
        'has one tree more, over the checkpoints of all: that is printed, and every partition is checked too.',
    )
    .option('--partition <number>', 'of one partition alone', readPartition)
    .option('--key <key>', 'the public key of the log (a file or the text), not what the server says')
    .action(
      run<Options>(async ({ client, output }, { key, partition }) => {
        const verifier = await readVerifier(key ?? (await client.audit.key()));
        const [tree, ...others] = partition === undefined ? await treesOf(client) : [partition];
        for (const other of others) await checkNewest(client, other, verifier);
        const { checkpoint, note, continues } = await checkNewest(client, tree, verifier);
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

/** The tree over all, and those of the partitions; of a log with one partition that one alone. */
async function treesOf(client: VarveClient): Promise<readonly [number, ...number[]]> {
  const { length } = (await client.state()).partitions;
  return length === 1 ? [0] : [length, ...Array.from({ length }, (_, partition) => partition)];
}

/** Takes the newest checkpoint of a tree, and keeps it when it continues what was seen. @throws CHECKPOINT_FORKED */
async function checkNewest(client: VarveClient, tree: number, verifier: NoteVerifier) {
  const note = await client.audit.checkpoint(tree);
  const checkpoint = openCheckpoint(note, verifier);
  const continues = await checkContinues(client, checkpoint, await seenCheckpoints(checkpoint.origin, verifier));
  await rememberCheckpoint(checkpoint.origin, note);
  return { checkpoint, note, continues };
}

function readPartition(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a number, from 0 on.');
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
