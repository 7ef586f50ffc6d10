import type { CommitRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import { noLints, type Lints } from '#tar/lint';
import { type FileSources, treeOf } from './commit-tree.js';
import { knownLayer } from './known-layer.js';
import { type ShownLayer, showLayer } from './layer-content.js';
import { readCommit } from './read-commit.js';
import { resolve } from './resolve.js';

/** A commit's own layers, oldest first, each with what of it alone may surprise; `union`: what the topmost does to others. */
export interface CommitLints {
  readonly commit: CommitRow;
  readonly layers: readonly ShownLayer[];
  readonly union: Lints;
}

/** @throws what `resolve` and `TreeStore.tree` throw @see union/SPEC 4.4 */
export async function lintsOf(sources: FileSources, repo: RepositoryName, revision: string): Promise<CommitLints> {
  const { commit: row } = await resolve(sources.graph, repo, revision);
  const { layers } = await readCommit(sources.graph, row);
  const rows = await Promise.all(layers.map((diffId) => knownLayer(sources.graph, repo, diffId)));
  return {
    commit: row,
    layers: await Promise.all(rows.map((layer) => showLayer(sources, repo, layer))),
    union: layers.length === 0 ? noLints : (await treeOf(sources, row)).lints,
  };
}
