import { digestOf, type DiffId } from '#core/digest';
import { stackOfLayers } from '#core/layer-stack';
import { parseRepositoryName } from '#core/name';
import { writeRootfs, type ByteRange } from '#materialize/write-rootfs';
import type { BlobReader } from '#ports/blob-store';
import { decodeLayerIndex, encodeLayerIndex, type LayerIndex } from '#tar/layer-index';
import { LayerScanner } from '#tar/layer-scanner';
import { planRootfs, type RootfsPlan } from '#union/rootfs-plan';
import { TreeStore } from '#union/tree-store';

const repo = parseRepositoryName('golden');

/** A stack of uncompressed layers with its plan, as the product makes it: scanned, indexed, stored, read back, merged. */
export class Stack {
  readonly plan: RootfsPlan;
  readonly #tars: ReadonlyMap<DiffId, Buffer>;
  /** Layers that are open now. */
  open = 0;

  private constructor(plan: RootfsPlan, tars: ReadonlyMap<DiffId, Buffer>) {
    this.plan = plan;
    this.#tars = tars;
  }

  /** Scans each layer in pieces of `pieceBytes`. @throws LAYER_INVALID, LIMIT_EXCEEDED */
  static async of(layers: readonly Buffer[], pieceBytes = 1 << 16): Promise<Stack> {
    const stored = layers.map((tar) => ({
      diffId: digestOf(tar) as DiffId,
      tar,
      bytes: encodeLayerIndex(scan(tar, pieceBytes)),
    }));
    const indexes = new Map(stored.map(({ diffId, bytes }) => [diffId, bytes]));
    const trees = new TreeStore({
      loadIndex: async (_, diffId) => decodeLayerIndex(indexes.get(diffId)!),
      cacheBytes: 1 << 20,
    });
    const tree = await trees.tree(repo, stackOfLayers(stored.map(({ diffId }) => diffId)));
    return new Stack(planRootfs(tree), new Map(stored.map(({ diffId, tar }) => [diffId, tar])));
  }

  /** The canonical tar, or a range of it. */
  async tar(range?: ByteRange): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of writeRootfs(this.plan, (diffId) => this.#openLayer(diffId), range)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  async #openLayer(diffId: DiffId): Promise<BlobReader> {
    const tar = this.#tars.get(diffId)!;
    this.open++;
    return {
      size: tar.length,
      read: async (target, position) => tar.copy(target, 0, position),
      close: async () => void this.open--,
    };
  }
}

function scan(tar: Buffer, pieceBytes: number): LayerIndex {
  const scanner = new LayerScanner();
  for (let at = 0; at < tar.length; at += pieceBytes) scanner.push(tar.subarray(at, at + pieceBytes));
  return scanner.finish();
}
