import type { Commit, CommitId } from '#core/commit';
import { VarveError } from '#core/error';
import type { CommitRow } from '#core/graph-row';
import { limit } from '#core/limit';
import type { RefName, RepositoryName } from '#core/name';
import type { GraphReader } from '#ports/graph-store';
import { readCommit } from './read-commit.js';

/** A commit as `images --tree` draws it. Sizes are uncompressed tar bytes, of its own layers and of its whole stack. */
export interface TreeNode {
  readonly id: CommitId;
  readonly commit: Commit;
  readonly ownBytes: number;
  readonly virtualBytes: number;
  /** Every repository that has it, and the refs there that point at it. */
  readonly places: readonly { readonly repo: RepositoryName; readonly refs: readonly RefName[] }[];
}

/**
 * Everything that refs reach, parents before children. A commit that several repositories have is one node, so that
 * a shared base is drawn once.
 * @throws LIMIT_EXCEEDED when more than `limit.treeViewCommitsMax` commits would be drawn
 */
export async function imageTree(graph: GraphReader, repos: readonly RepositoryName[]): Promise<readonly TreeNode[]> {
  const nodes = new Map<CommitId, TreeNode>();
  for (const repo of repos) {
    const { rows, refs } = await reachable(graph, repo, nodes.size);
    for (const row of rows) {
      const known = nodes.get(row.id);
      const places = [...(known?.places ?? []), { repo, refs: refs.get(row.id) ?? [] }];
      const { ownBytes, virtualBytes } = row;
      nodes.set(row.id, known ? { ...known, places } : { id: row.id, commit: await readCommit(graph, row), ownBytes, virtualBytes, places }); // prettier-ignore
    }
  }
  return [...nodes.values()];
}

/** One walk down the numbers: a commit is reached before its parents are met. */
async function reachable(graph: GraphReader, repo: RepositoryName, alreadyDrawn: number) {
  const existing = await graph.refs(repo);
  const byCommit = Map.groupBy(existing, ({ value }) => value.commit);
  const refs = new Map([...byCommit].map(([commit, found]) => [commit, found.map(({ ref }) => ref)]));
  const awaited = new Set<number>();
  const tips = new Set(refs.keys());
  const rows: CommitRow[] = [];
  for (let before: number | undefined; tips.size + awaited.size > 0;) {
    const page = await graph.commits(repo, { before, limit: limit.pageMax });
    if (page.length === 0) break;
    for (const row of page) {
      const isTip = tips.delete(row.id);
      if (!awaited.delete(row.seq) && !isTip) continue;
      row.parents.forEach((seq) => awaited.add(seq));
      rows.push(row);
    }
    if (alreadyDrawn + rows.length > limit.treeViewCommitsMax) {
      throw new VarveError(
        'LIMIT_EXCEEDED',
        `the tree has more than ${limit.treeViewCommitsMax} commits; ask for one repository, or its log`,
      );
    }
    before = page.at(-1)?.seq;
  }
  return { rows: rows.toReversed(), refs };
}
