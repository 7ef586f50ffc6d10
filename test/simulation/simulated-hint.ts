import { encodeCommit, newCommit } from '#core/commit';
import { VarveError } from '#core/error';
import type { RefName, RepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import type { RefValue } from '#core/ref';
import { readRef } from '#history/read-ref';
import type { Submitter } from '#history/submitter';
import type { WriteContext, Written } from '#history/write';
import type { BlobAddress, BlobStore } from '#ports/blob-store';
import type { GraphReader } from '#ports/graph-store';
import type { SimulatedLayer } from './simulated-layers.js';

interface HintStores {
  readonly graph: GraphReader;
  readonly blobs: BlobStore;
  readonly submitter: Submitter;
}

/** A copy that somebody stored, for whatever repository and record: it may be named by nothing, or gone. */
export interface HintedCommit {
  readonly repo: RepositoryName;
  readonly branch: RefName;
  readonly message: string;
  readonly layer: SimulatedLayer;
  readonly hint: BlobAddress;
  readonly expect: RefValue | undefined;
}

/**
 * Puts a commit on a branch whose layer is not uploaded: it names a copy that is not known in its partition. First the
 * fences, then the copy itself, then the record. @throws BLOB_UNKNOWN, REF_UNKNOWN, and what `Submitter.submit` throws
 * @see event-log 1.6 rule 13
 */
export async function commitHinted(
  { graph, blobs, submitter }: HintStores,
  { repo, branch, message, layer, hint, expect }: HintedCommit,
  context: WriteContext,
): Promise<Written> {
  const tip = expect ?? (await readRef(graph, repo, branch));
  const seen = await submitter.seenOutcome(repo, context);
  if (seen) return seen;
  if (tip.commit === null) throw new VarveError('REF_UNKNOWN', `there is no branch ${branch}`, { ref: branch });
  const { gcEpoch } = (await graph.checkpoint(partitionOf(repo, graph.partitionCount))).partition;
  const size = await blobs.stat(hint);
  if (size === undefined) throw new VarveError('BLOB_UNKNOWN', `${hint.incarnation} is gone`, { hint });
  const { diffId, mediaType } = layer;
  const commit = encodeCommit(newCommit({ parents: [tip.commit], layers: [diffId], message }));
  const blob = { ...hint, size, mediaType, layer: { diffId, tarBytes: size } };
  const updates = [{ ref: branch, expect: tip, to: commit.id, mode: 'ff' }] as const;
  const content = { repo, operation: 'commit', commits: [commit], blobs: [blob], updates } as const;
  return submitter.submit({ type: 'ref.update.v1', ...content, gcEpoch }, context);
}
