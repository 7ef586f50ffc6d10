import type { CommitId } from '#core/commit';
import type { Digest, DiffId } from '#core/digest';
import type { RefName, RepositoryName } from '#core/name';
import type { GraphReader } from '#ports/graph-store';
import { stackOf } from '#ports/read-stack';
import { knownRepository } from './known-repository.js';
import { knownCommit } from './read-commit.js';

/** What one ref takes. Uncompressed tar bytes; a layer that a stack has twice counts once in `shared` and `unique`. */
export interface RefUsage {
  readonly ref: RefName;
  readonly commit: CommitId;
  readonly layers: number;
  /** Of the commit's own layers. */
  readonly ownBytes: number;
  /** Of its whole stack, as if nothing were shared. */
  readonly virtualBytes: number;
  /** Of its layers that other refs have too. */
  readonly sharedBytes: number;
  /** Of its layers that no other ref has: what deleting the ref would leave to nobody. */
  readonly uniqueBytes: number;
}

/** What the refs of a repository take, one by one and together. */
export interface Usage {
  readonly refs: readonly RefUsage[];
  readonly layers: number;
  /** Sum of the refs' virtual sizes: what copies would take. */
  readonly virtualBytes: number;
  /** Uncompressed tar bytes of all layers of all refs, each once. */
  readonly tarBytes: number;
  /** The same layers as their blobs came, compressed or not. */
  readonly storedBytes: number;
}

interface Layer {
  readonly tarBytes: number;
  readonly blobs: readonly Digest[];
  refs: number;
}

/** @throws REPOSITORY_UNKNOWN, CORRUPT */
export async function usage(graph: GraphReader, repo: RepositoryName): Promise<Usage> {
  await knownRepository(graph, repo);
  const layers = new Map<DiffId, Layer>();
  const placed = [];
  for (const { ref, value } of await graph.refs(repo)) {
    const commit = await knownCommit(graph, repo, value.commit);
    const stack = new Set(await stackOf(graph, commit));
    for (const diffId of stack) {
      const layer = layers.get(diffId) ?? (await layerOf(graph, repo, diffId));
      layers.set(diffId, layer);
      layer.refs++;
    }
    placed.push({ ref, commit, stack });
  }
  const refs = placed.map(({ ref, commit, stack }): RefUsage => {
    const distinct = [...stack].map((diffId) => layers.get(diffId)!);
    const { id, ownBytes, virtualBytes, stackLayers } = commit;
    const sharedBytes = bytesOf(distinct.filter((layer) => layer.refs > 1));
    const uniqueBytes = bytesOf(distinct.filter((layer) => layer.refs === 1));
    return { ref, commit: id, layers: stackLayers, ownBytes, virtualBytes, sharedBytes, uniqueBytes };
  });
  return {
    refs,
    layers: layers.size,
    virtualBytes: refs.reduce((sum, { virtualBytes }) => sum + virtualBytes, 0),
    tarBytes: bytesOf([...layers.values()]),
    storedBytes: await storedBytes(graph, repo, [...layers.values()]),
  };
}

async function layerOf(graph: GraphReader, repo: RepositoryName, diffId: DiffId): Promise<Layer> {
  const row = await graph.layer(repo, diffId);
  return { tarBytes: row?.tarBytes ?? 0, blobs: row?.encodings.map(({ digest }) => digest) ?? [], refs: 0 };
}

function bytesOf(layers: readonly Layer[]): number {
  return layers.reduce((sum, { tarBytes }) => sum + tarBytes, 0);
}

async function storedBytes(graph: GraphReader, repo: RepositoryName, layers: readonly Layer[]): Promise<number> {
  let bytes = 0;
  for (const digest of new Set(layers.flatMap(({ blobs }) => blobs))) {
    bytes += (await graph.blob(repo, digest))?.size ?? 0;
  }
  return bytes;
}
