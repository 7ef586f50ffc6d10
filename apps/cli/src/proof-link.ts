import { type Checkpoint, forked, openCheckpoint } from '#audit/checkpoint';
import { hashFromBase64, isConsistent } from '#audit/merkle';
import type { NoteVerifier } from '#audit/note';
import { linkProof } from '#audit/link-proof';
import { parseProofFile } from '#audit/proof-file';
import { VarveError } from '#core/error';
import type { VarveClient } from '#client/client';
import { type SeenCheckpoint, seenCheckpoints } from './seen-checkpoints.js';

/** The newest checkpoint seen that is not newer than `size`. */
export function newestUpTo(seen: readonly SeenCheckpoint[], size: number): SeenCheckpoint | undefined {
  return seen
    .filter(({ checkpoint }) => checkpoint.size <= size && checkpoint.size > 0)
    .toSorted((a, b) => b.checkpoint.size - a.checkpoint.size)[0];
}

/** The proof with what links it to a checkpoint that the machine has seen, where it is a newer one. */
export async function linkToSeen(
  client: VarveClient,
  text: string,
  { verifier, known }: { readonly verifier: NoteVerifier; readonly known?: SeenCheckpoint | undefined },
): Promise<string> {
  const young = openCheckpoint(parseProofFile(text).checkpoint, verifier);
  const old = known ?? newestUpTo(await seenCheckpoints(young.origin, verifier), young.size);
  if (!old || old.checkpoint.size >= young.size) return text;
  const path = await client.audit.consistency({
    from: old.checkpoint.size,
    to: young.size,
    partition: await treeOf(client, young),
  });
  return linkProof(text, { checkpoint: old.note, path: path.map(readHash) });
}

/**
 * A checkpoint against all that were seen of its log: the same size has the same root, and it continues the newest one
 * below it, which the server has to show. @throws CHECKPOINT_FORKED
 */
export async function checkContinues(
  client: VarveClient,
  young: Checkpoint,
  seen: readonly SeenCheckpoint[],
): Promise<Checkpoint | undefined> {
  const same = seen.find(({ checkpoint }) => checkpoint.size === young.size);
  if (same && same.checkpoint.root !== young.root) throw forked(same.checkpoint, young);
  const old = newestUpTo(seen, young.size)?.checkpoint;
  if (!old || same) return old;
  const path = await client.audit.consistency({
    from: old.size,
    to: young.size,
    partition: await treeOf(client, young),
  });
  if (!isConsistent(old, young, path.map(readHash))) throw forked(old, young);
  return old;
}

/** The partition that the last part of an origin names; without one it is the tree over all, whose number is theirs. */
async function treeOf(client: VarveClient, { origin }: Checkpoint): Promise<number> {
  const [, partition] = /^varve\.dev\/log\/[^/]+\/(\d+)$/.exec(origin) ?? [];
  return partition === undefined ? (await client.state()).partitions.length : Number(partition);
}

function readHash(text: string) {
  const hash = hashFromBase64(text);
  if (hash !== undefined) return hash;
  throw new VarveError('PROOF_INVALID', 'the server answered with a hash that is none');
}
