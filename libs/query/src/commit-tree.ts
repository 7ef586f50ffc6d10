import type { DiffId } from '#core/digest';
import type { CommitRow } from '#core/graph-row';
import type { LayerStack } from '#core/layer-stack';
import type { RepositoryName } from '#core/name';
import type { BlobReader } from '#ports/blob-store';
import { type KnownStacks, layerStackOf } from '#ports/read-stack';
import type { RootfsTree } from '#union/rootfs-tree';
import type { Placed } from './await-position.js';
import type { IndexSource } from './content-digests.js';
import { commitForTree } from './platform-commit.js';
import { resolve } from './resolve.js';

/** What questions about files are answered from. Layers are opened for content alone; all else is in their indexes. */
export interface FileSources extends Placed {
  readonly trees: KnownStacks & { tree(repo: RepositoryName, stack: LayerStack): Promise<RootfsTree> };
  readonly layers: IndexSource & { open(repo: RepositoryName, diffId: DiffId): Promise<BlobReader> };
}

/** The union tree of the commit that a revision means. */
export interface CommitTree {
  readonly commit: CommitRow;
  readonly tree: RootfsTree;
  readonly warning: string | null;
}

/** @throws what `resolve`, `commitForTree` and `TreeStore.tree` throw */
export async function commitTree(sources: FileSources, repo: RepositoryName, revision: string): Promise<CommitTree> {
  const { commit: named, warning } = await resolve(sources, repo, revision);
  const commit = await commitForTree(sources.graph, named, null);
  return { commit, tree: await treeOf(sources, commit), warning };
}

export async function treeOf({ graph, trees }: FileSources, commit: CommitRow): Promise<RootfsTree> {
  const { repo } = commit;
  return trees.tree(repo, await layerStackOf(graph, trees, commit));
}
