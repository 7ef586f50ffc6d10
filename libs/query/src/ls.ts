import type { CommitId } from '#core/commit';
import { VarveError } from '#core/error';
import type { CommitRow } from '#core/graph-row';
import { limit } from '#core/limit';
import type { RepositoryName } from '#core/name';
import { isDirectory, type RootfsTree } from '#union/rootfs-tree';
import { commitTree, type FileSources, treeOf } from './commit-tree.js';
import { ContentDigests } from './content-digests.js';
import { findNode } from './find-node.js';
import { knownRepository } from './known-repository.js';
import { NodePaths } from './node-paths.js';
import { entryOf, type TreeEntry } from './tree-entry.js';

/** Which entries: those of a directory, or all below it, or one file alone; from `cursor` on if there is one. */
export interface ListQuestion {
  readonly revision: string;
  readonly path: Buffer;
  readonly recursive: boolean;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** One page in the order of the canonical tar, and where the next one starts; null when this was the last. */
export interface TreeListing {
  readonly commit: CommitRow;
  readonly warning: string | null;
  readonly entries: readonly TreeEntry[];
  readonly cursor: string | null;
}

/**
 * What stands in a directory of a commit's union tree. Reads no layer: indexes have all of it. A cursor names the commit,
 * so the pages are one answer while branches move.
 * @throws what `resolve` throws, PATH_UNKNOWN, REQUEST_INVALID, LIMIT_EXCEEDED, CORRUPT
 */
export async function listTree(
  sources: FileSources,
  repo: RepositoryName,
  question: ListQuestion,
): Promise<TreeListing> {
  if (question.limit > limit.treePageMax) {
    throw new VarveError(
      'LIMIT_EXCEEDED',
      `a page of ${question.limit} entries is over the limit of ${limit.treePageMax}`,
    );
  }
  const { commit, tree, warning, from } = await startOf(sources, repo, question);
  const start = findNode(tree, question.path);
  const digests = new ContentDigests(sources.layers, repo);
  if (!isDirectory(tree, start)) {
    await digests.load(tree, start);
    return {
      commit,
      warning,
      entries: [entryOf(tree, start, question.path, digests.digest(tree, start))],
      cursor: null,
    };
  }
  const paths = new NodePaths(tree, start, question.path);
  const end = tree.subtreeEnd[start]!;
  const entries: TreeEntry[] = [];
  let node = from ?? start + 1;
  if (node <= start || node > end) throw badCursor(question.cursor ?? '');
  for (; node < end && entries.length < question.limit; node = question.recursive ? node + 1 : tree.subtreeEnd[node]!) {
    await digests.load(tree, node);
    entries.push(entryOf(tree, node, paths.of(node), digests.digest(tree, node)));
  }
  return { commit, warning, entries, cursor: node < end ? `${commit.id}.${node.toString(36)}` : null };
}

interface Start {
  readonly commit: CommitRow;
  readonly tree: RootfsTree;
  readonly warning: string | null;
  readonly from: number | null;
}

async function startOf(sources: FileSources, repo: RepositoryName, question: ListQuestion): Promise<Start> {
  const { cursor } = question;
  if (cursor === undefined) return { ...(await commitTree(sources, repo, question.revision)), from: null };
  await knownRepository(sources.graph, repo);
  const [, id, node] = /^([0-9a-f]{64})\.([0-9a-z]{1,7})$/.exec(cursor) ?? [];
  const commit = id === undefined ? undefined : await sources.graph.commit(repo, id as CommitId);
  if (!commit || node === undefined) throw badCursor(cursor);
  return { commit, tree: await treeOf(sources, commit), warning: null, from: parseInt(node, 36) };
}

function badCursor(cursor: string): VarveError {
  return new VarveError('REQUEST_INVALID', `"${cursor}" is not a cursor that a page of this listing gave`, { cursor });
}
