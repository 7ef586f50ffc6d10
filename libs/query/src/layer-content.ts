import type { CommitId } from '#core/commit';
import type { Digest } from '#core/digest';
import type { LayerRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import { streamBlob } from '#ports/read-blob';
import { role, roleOf } from '#tar/layer-entries';
import type { Lints } from '#tar/lint';
import type { FileSources } from './commit-tree.js';
import { verified } from './stored-content.js';

/** One layer alone: how it is stored, and what its index says. */
export interface ShownLayer {
  readonly layer: LayerRow;
  readonly encodings: readonly { readonly digest: Digest; readonly size: number; readonly mediaType: string }[];
  readonly entries: number;
  readonly whiteouts: number;
  readonly opaques: number;
  readonly lints: Lints;
  /** The first commit of the repository that has it. */
  readonly firstCommit: CommitId | null;
}

/** @throws CORRUPT, UNAVAILABLE */
export async function showLayer(
  { graph, layers }: FileSources,
  repo: RepositoryName,
  layer: LayerRow,
): Promise<ShownLayer> {
  const { entries, lints } = await layers.index(repo, layer.diffId);
  let [whiteouts, opaques] = [0, 0];
  for (let entry = 0; entry < entries.count; entry++) {
    const is = roleOf(entries, entry);
    if (is === role.whiteout) whiteouts++;
    else if (is === role.opaque) opaques++;
  }
  const blobs = await Promise.all(layer.encodings.map(({ digest }) => graph.blob(repo, digest)));
  const [alias] = await graph.aliasesByPrefix(repo, layer.diffId.slice('sha256:'.length), ['diff'], 1);
  return {
    layer,
    encodings: blobs.flatMap((blob) =>
      blob ? [{ digest: blob.digest, size: blob.size, mediaType: blob.mediaType }] : [],
    ),
    entries: entries.count,
    whiteouts,
    opaques,
    lints,
    firstCommit: alias?.commit ?? null,
  };
}

/**
 * The exact tar of a layer, any range of it. All of it is held against the diffID, and the last chunk comes only when
 * that fits. @throws BLOB_UNKNOWN, CORRUPT, UNAVAILABLE
 */
export async function* readLayerTar(
  { layers }: Pick<FileSources, 'layers'>,
  repo: RepositoryName,
  { layer, from, to }: { readonly layer: LayerRow; readonly from: number; readonly to: number },
): AsyncGenerator<Uint8Array> {
  const reader = await layers.open(repo, layer.diffId);
  try {
    const bytes = streamBlob(reader, from, to);
    yield* from === 0 && to === layer.tarBytes ? verified(bytes, layer.diffId, layer.diffId) : bytes;
  } finally {
    await reader.close();
  }
}
