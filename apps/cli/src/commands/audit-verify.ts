import { Command } from 'commander';
import { checkLinked, verifyProof } from '#audit/verify-proof';
import { forked } from '#audit/checkpoint';
import { VarveError } from '#core/error';
import { openKnown, readInput, readVerifier } from '../audit-input.js';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { rememberCheckpoint, type SeenCheckpoint, seenCheckpoints } from '../seen-checkpoints.js';
import { verifiedJson, verifiedText } from '../verified-text.js';

interface Options {
  readonly key?: string;
  readonly checkpoint?: string;
}

/** `varve audit verify FILE --key KEY`: asks no server. */
export function auditVerifyCommand(run: Run): Command {
  const command = new Command('verify')
    .description(
      'Checks a proof without a server: the signature, the place of its records in the tree, what the map of refs says, ' +
        'the decision, made again, and that the log continues the last checkpoint that this machine has seen.',
    )
    .argument('<file>', 'a proof; - for standard input')
    .requiredOption('--key <key>', 'the public key of the log: a file or the text')
    .option('--checkpoint <file>', 'a checkpoint that the log must continue, besides those seen')
    .action(
      run<Options>(async ({ output }, { key = '', checkpoint }, [file = '-']) => {
        const verifier = await readVerifier(key);
        const verified = verifyProof(await readInput(file), verifier);
        const { origin } = verified.checkpoint;
        if (checkpoint !== undefined) checkLinked(verified, (await openKnown(checkpoint, verifier)).checkpoint);
        const seen = await seenCheckpoints(origin, verifier);
        const linkedTo = checkSeen(verified, seen);
        await rememberCheckpoint(origin, verified.note);
        await output.answer(verifiedJson(verified, linkedTo), () => verifiedText(verified, linkedTo));
      }),
    );
  return withHelp(
    command.summary('check a proof without a server'),
    [
      'varve audit verify v3.tlog-proof --key varve.pub',
      'varve audit verify v3.tlog-proof --key varve.pub --checkpoint kept.checkpoint',
    ],
    [1, 2, 7],
  );
}

/**
 * The checkpoints of a proof against those that were seen, which all continue each other. Null when this is the first.
 * @throws CHECKPOINT_FORKED, CHECKPOINT_UNLINKED
 */
function checkSeen(
  { checkpoint, linked }: Parameters<typeof checkLinked>[0],
  seen: readonly SeenCheckpoint[],
): number | null {
  if (seen.length === 0) return null;
  let link: number | undefined;
  for (const { checkpoint: known } of seen) {
    for (const each of [checkpoint, linked]) {
      if (each?.size !== known.size) continue;
      if (each.root !== known.root) throw forked(each, known);
      link = Math.max(link ?? 0, known.size);
    }
  }
  if (link !== undefined) return link;
  const newest = Math.max(...seen.map(({ checkpoint: { size } }) => size));
  const message = `the proof is of ${checkpoint.size} records and has nothing that links it to the checkpoint of ${newest} that this machine has seen`;
  throw new VarveError('CHECKPOINT_UNLINKED', message, { seen: newest, proof: checkpoint.size });
}
