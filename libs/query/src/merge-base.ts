import { mergeBases, walkLater } from '#core/ancestry';
import { VarveError } from '#core/error';
import type { CommitRow } from '#core/graph-row';
import { limit } from '#core/limit';
import type { GraphReader } from '#ports/graph-store';
import { commitAt } from './read-commit.js';

/**
 * The best common ancestors of two commits of one repository, newest first: none of them is an ancestor of another.
 * Empty when the histories have nothing in common.
 * @throws LIMIT_EXCEEDED when it takes more than `limit.ancestryStepsMax` commits
 */
export async function mergeBase(graph: GraphReader, a: CommitRow, b: CommitRow): Promise<readonly CommitRow[]> {
  const seqs = await walkLater(mergeBases(a, b), (seq) => commitAt(graph, a.repo, seq));
  if (seqs) return Promise.all(seqs.map((seq) => commitAt(graph, a.repo, seq)));
  throw new VarveError(
    'LIMIT_EXCEEDED',
    `the merge base of ${a.id} and ${b.id} is more than ${limit.ancestryStepsMax} commits away`,
    { a: a.id, b: b.id },
  );
}
