import { LayerScanner } from '#tar/layer-scanner';
import type { ReceivedLayer } from '#layer/receive-layer';
import type { DiffId } from '#core/digest';
import type { LayerIndex } from '#tar/layer-index';
import type { BlobStore } from '#ports/blob-store';
import { type BuiltLayer, layer } from '../fixture/layer-builder.js';

/** A layer that clients have: what a server makes of its bytes is made once, for it is the same in every run. */
export interface SimulatedLayer extends BuiltLayer {
  readonly name: string;
  readonly index: LayerIndex;
}

/** So few that the same one comes to several repositories, and several times to one. */
export const layers: readonly SimulatedLayer[] = ['a', 'b', 'c'].map((name) => {
  const built = layer({ [name]: name });
  const scanner = new LayerScanner();
  scanner.push(built.tar);
  return { ...built, name, index: scanner.finish() };
});

const indexes = new Map<DiffId, LayerIndex>(layers.map(({ diffId, index }) => [diffId, index]));

/** Of a layer of the simulation. */
export async function indexOf(diffId: DiffId): Promise<LayerIndex> {
  return indexes.get(diffId) as LayerIndex;
}

/** An upload that has come to its end: its bytes are stored when it is sealed. */
export function uploaded(blobs: BlobStore, { tar, digest, diffId, mediaType }: SimulatedLayer): ReceivedLayer {
  const told = { digest, sizeBytes: tar.length, mediaType, diffId, tarBytes: tar.length };
  return {
    ...told,
    readIndex: () => indexOf(diffId),
    discard: async () => undefined,
    seal: async () => {
      const staged = await blobs.stageBlob();
      await staged.write(tar);
      await staged.finish();
      const copy = await staged.seal();
      return { ...copy, size: tar.length, mediaType, layer: { diffId, tarBytes: tar.length } };
    },
  };
}
