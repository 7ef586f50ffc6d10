import type { DiffId } from '#core/digest';
import type { CommitRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import type { BlobReader } from '#ports/blob-store';
import type { GraphReader } from '#ports/graph-store';
import { stackOf } from '#ports/read-stack';
import type { RootfsTree } from '#union/rootfs-tree';
import type { IndexSource } from './content-digests.js';
import { resolve } from './resolve.js';

/** What questions about files are answered from. Layers are opened for content alone; all else is in their indexes. */
export interface FileSources {
  readonly graph: GraphReader;
  readonly trees: { tree(repo: RepositoryName, stack: readonly DiffId[]): Promise<RootfsTree> };
  readonly layers: IndexSource & { open(repo: RepositoryName, diffId: DiffId): Promise<BlobReader> };
}

/** The union tree of the commit that a revision means. */
export interface CommitTree {
  readonly commit: CommitRow;
  readonly tree: RootfsTree;
  readonly warning: string | null;
}

/** @throws what `resolve` and `TreeStore.tree` throw */
export async function commitTree(sources: FileSources, repo: RepositoryName, revision: string): Promise<CommitTree> {
  const { commit, warning } = await resolve(sources.graph, repo, revision);
  return { commit, tree: await treeOf(sources, commit), warning };
}

export async function treeOf({ graph, trees }: FileSources, commit: CommitRow): Promise<RootfsTree> {
  return trees.tree(commit.repo, await stackOf(graph, commit));
}
