import type { CommitRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import { downStack, type LayerStack } from '#core/layer-stack';
import { layerStackOf } from '#ports/read-stack';
import { LintList, type Lints, noLints } from '#tar/lint';
import type { FileSources } from './commit-tree.js';
import { knownLayer } from './known-layer.js';
import { type ShownLayer, showLayer } from './layer-content.js';
import { readCommit } from './read-commit.js';
import { resolve } from './resolve.js';

/** A commit's own layers, oldest first, each with what of it alone may surprise; `union`: what they do to those below. */
export interface CommitLints {
  readonly commit: CommitRow;
  readonly layers: readonly ShownLayer[];
  readonly union: Lints;
}

/** @throws what `resolve` and `TreeStore.tree` throw @see union/SPEC 4.4 */
export async function lintsOf(sources: FileSources, repo: RepositoryName, revision: string): Promise<CommitLints> {
  const { commit: row } = await resolve(sources, repo, revision);
  const { layers } = await readCommit(sources.graph, row);
  const rows = await Promise.all(layers.map((diffId) => knownLayer(sources.graph, repo, diffId)));
  return {
    commit: row,
    layers: await Promise.all(rows.map((layer) => showLayer(sources, repo, layer))),
    union: await unionLints(sources, row, layers.length),
  };
}

/** Of the topmost `count` layers, oldest first: each tells what it does to the stack it was put on. */
async function unionLints({ graph, trees }: FileSources, row: CommitRow, count: number): Promise<Lints> {
  if (count === 0) return noLints;
  const own: LayerStack[] = [];
  for (const { stack } of downStack(await layerStackOf(graph, trees, row))) if (own.push(stack) === count) break;
  const all = new LintList();
  for (const stack of own.toReversed()) all.addAll((await trees.tree(row.repo, stack)).lints);
  return { kept: all.kept, total: all.total };
}
