import { chainIdOn, type Commit, type CommitId, decodeCommit, type EncodedCommit } from './commit.js';
import { emptyChainId, hexOf, type Digest, type DiffId } from './digest.js';
import { isVarveError } from './error.js';
import { rejected, type Rejected, type Step } from './fold-step.js';
import type { AliasKind, AliasRow, CommitRow, LayerRow, RepositoryRow } from './graph-row.js';
import type { RepositoryName } from './name.js';

/**
 * Puts a commit into the DAG of a repository, unless it is there. Its id is made again from its bytes; its parents,
 * layers and documents must all be there before it. @see event-log 1.6 rule 4
 */
export function acceptCommit(
  step: Step,
  repo: RepositoryName,
  bytes: Uint8Array,
): Rejected | { readonly type: 'new' | 'known'; readonly id: CommitId } {
  const encoded = read(bytes);
  if ('type' in encoded) return encoded;
  const { id, commit } = encoded;
  if (step.facts.commit(repo, id)) return { type: 'known', id };

  const parents: CommitRow[] = [];
  for (const parent of commit.parents) {
    const row = step.facts.commit(repo, parent);
    if (!row) return unknownCommit(repo, id, 'parent', parent);
    parents.push(row);
  }
  const missing = commit.index?.find((entry) => !step.facts.commit(repo, entry.commit));
  if (missing) return unknownCommit(repo, id, 'image', missing.commit);
  const unstored = whatIsNotStored(step, encoded);
  if (unstored) return unstored;

  const repository = step.facts.repository(repo) as RepositoryRow;
  const row = place(step, repository, encoded, parents);
  step.facts.add({ type: 'repository', before: repository, after: { ...repository, commits: row.seq + 1 } });
  step.facts.add({ type: 'commit', after: row, bytes, aliases: aliasesOf(commit, row) });
  return { type: 'new', id };
}

function read(bytes: Uint8Array): EncodedCommit | Rejected {
  try {
    return decodeCommit(bytes);
  } catch (error) {
    if (!isVarveError(error)) throw error;
    return rejected(error.code, error.message, error.detail);
  }
}

function unknownCommit(repo: RepositoryName, id: CommitId, role: string, commit: CommitId): Rejected {
  const message = `commit ${id} names ${role} ${commit}, which ${repo} does not have`;
  return rejected('COMMIT_UNKNOWN', message, { commit: id, [role]: commit });
}

function whatIsNotStored(step: Step, { id, commit }: EncodedCommit): Rejected | undefined {
  for (const diffId of commit.layers) {
    const copies = step.facts.layer(diffId)?.encodings ?? [];
    const known = copies.flatMap(({ digest, incarnation }) =>
      step.facts.blobs(digest).filter((row) => row.incarnation === incarnation),
    );
    if (!known.some(isLive)) return missingBlob(id, 'layer', diffId, known.length > 0);
  }
  for (const [role, digest] of [
    ['config', commit.config],
    ['manifest', commit.manifest?.digest ?? null],
  ] as const) {
    if (digest === null) continue;
    const known = step.facts.blobs(digest);
    if (!known.some(isLive)) return missingBlob(id, role, digest, known.length > 0);
  }
  return undefined;
}

function isLive({ retiredEpoch }: { readonly retiredEpoch: number | null }): boolean {
  return retiredEpoch === null;
}

function missingBlob(id: CommitId, role: string, digest: Digest, gone: boolean): Rejected {
  const why = gone ? 'every copy of it was retired; upload it again' : 'it is not stored';
  return rejected(gone ? 'BLOB_GONE' : 'BLOB_MISSING', `commit ${id} names ${role} ${digest}: ${why}`, {
    commit: id,
    digest,
  });
}

function place(
  step: Step,
  repository: RepositoryRow,
  { id, commit }: EncodedCommit,
  parents: readonly CommitRow[],
): CommitRow {
  const { repo, commits: seq } = repository;
  const first = parents[0];
  const below = commit.base === 'parent' ? first : undefined;
  const ownBytes = commit.layers.reduce((sum, diffId) => sum + layerOf(step, diffId).tarBytes, 0);
  return {
    repo,
    id,
    seq,
    parents: parents.map((parent) => parent.seq),
    depth: first ? first.depth + 1 : 0,
    jump: first ? jumpOver(step, first) : seq,
    stackLayers: (below?.stackLayers ?? 0) + commit.layers.length,
    chainId: chainIdOn(below?.chainId ?? emptyChainId, commit),
    ownBytes,
    virtualBytes: (below?.virtualBytes ?? 0) + ownBytes,
    offset: step.offset,
  };
}

function layerOf(step: Step, diffId: DiffId): LayerRow {
  return step.facts.layer(diffId) as LayerRow;
}

/**
 * The jump of a child of `parent`: when the parent's last two jumps were equally long, over both of them, else to the
 * parent. Skew-binary counting: from any commit, any first-parent ancestor is O(log n) jumps and steps away.
 */
function jumpOver(step: Step, parent: CommitRow): number {
  const near = step.facts.commitAt(parent.repo, parent.jump) as CommitRow;
  const far = step.facts.commitAt(parent.repo, near.jump) as CommitRow;
  return parent.depth - near.depth === near.depth - far.depth ? far.seq : parent.seq;
}

/** Other names people know an image by, as its bytes and its place imply them. The chain is a name where it is new, not on every commit that leaves it as it was. */
export function aliasesOf(commit: Commit, { repo, id, seq, chainId }: CommitRow): AliasRow[] {
  const alias = (kind: AliasKind, hex: string): AliasRow => ({ repo, kind, hex, commit: id, seq });
  return [
    ...(commit.origin?.v1Id ? [alias('v1', commit.origin.v1Id)] : []),
    ...(commit.manifest ? [alias('manifest', hexOf(commit.manifest.digest))] : []),
    ...(commit.config ? [alias('config', hexOf(commit.config))] : []),
    ...[...new Set(commit.layers.map(hexOf))].map((hex) => alias('diff', hex)),
    ...(commit.layers.length > 0 ? [alias('chain', hexOf(chainId))] : []),
  ];
}
