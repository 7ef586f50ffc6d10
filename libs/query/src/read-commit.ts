import { type Commit, type CommitId, decodeCommit } from '#core/commit';
import { VarveError } from '#core/error';
import type { CommitRow } from '#core/graph-row';
import type { RefName, RepositoryName } from '#core/name';
import type { GraphReader } from '#ports/graph-store';

/** A commit, its place in the graph, and the refs that point at it. */
export interface PlacedCommit {
  readonly row: CommitRow;
  readonly commit: Commit;
  readonly refs: readonly RefName[];
}

/** The fields of a commit that the graph has. @throws CORRUPT */
export async function readCommit(graph: GraphReader, row: CommitRow): Promise<Commit> {
  const bytes = await graph.commitBytes(row.repo, row.id);
  if (!bytes)
    throw new VarveError('CORRUPT', `the graph of ${row.repo} has lost the bytes of commit ${row.id}`, {
      commit: row.id,
    });
  const { id, commit } = decodeCommit(bytes);
  if (id === row.id) return commit;
  throw new VarveError('CORRUPT', `the bytes kept for commit ${row.id} hash to ${id}`, { commit: row.id, actual: id });
}

/** The commit with a number that the graph itself names. @throws CORRUPT */
export async function commitAt(graph: GraphReader, repo: RepositoryName, seq: number): Promise<CommitRow> {
  const row = await graph.commitAt(repo, seq);
  if (row) return row;
  throw new VarveError('CORRUPT', `the graph of ${repo} names commit number ${seq} and does not hold it`, { seq });
}

/** The commit with an id that the graph itself names. @throws CORRUPT */
export async function knownCommit(graph: GraphReader, repo: RepositoryName, id: CommitId): Promise<CommitRow> {
  const row = await graph.commit(repo, id);
  if (row) return row;
  throw new VarveError('CORRUPT', `the graph of ${repo} names commit ${id} and does not hold it`, { commit: id });
}
