import type { ArchiveDocument } from '#archive/archive-image';
import type { Digest, DiffId } from '#core/digest';
import { assert } from '#core/error';
import type { NamedBlob } from '#core/event';
import { copyBlob } from '#layer/copy-blob';
import { receiveDocument } from '#layer/receive-document';
import { type ReceivedLayer, receiveLayer } from '#layer/receive-layer';
import type { BlobStore } from '#ports/blob-store';
import type { LayerIndex } from '#tar/layer-index';

/**
 * What one load has brought in and not proposed yet. Equal layers are staged once. Whatever is not sealed when the load
 * ends is removed; what is sealed too, as long as no record in the log may name it.
 */
export class LoadStaging {
  readonly #blobs: BlobStore;
  readonly #layers = new Map<Digest, ReceivedLayer>();
  readonly #byDiffId = new Map<DiffId, ReceivedLayer>();
  /** By digest, the copy that records name from now on. */
  readonly #sealed = new Map<Digest, NamedBlob>();
  /** Copies that a fence came after, by digest: there to be copied. */
  readonly #fenced = new Map<Digest, NamedBlob>();
  readonly #copies: NamedBlob[] = [];
  /** By incarnation, how many proposals name a copy. */
  readonly #named = new Map<string, number>();

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  get layerDigests(): readonly Digest[] {
    return [...this.#layers.keys()];
  }

  /** @throws as `receiveLayer` does; nothing of the layer is kept then */
  async receive(bytes: AsyncIterable<Uint8Array>): Promise<ReceivedLayer> {
    const layer = await receiveLayer(this.#blobs, bytes);
    const known = this.#layers.get(layer.digest);
    if (known) {
      await layer.discard();
      return known;
    }
    this.#layers.set(layer.digest, layer);
    this.#byDiffId.set(layer.diffId, layer);
    return layer;
  }

  /** The index of a layer of this load, which is read again each time: of all at once none may be in memory. */
  async indexOf(diffId: DiffId): Promise<LayerIndex> {
    const layer = this.#byDiffId.get(diffId);
    assert(layer, `${diffId} is no layer of this load`);
    return layer.readIndex();
  }

  /** Makes a layer durable and visible, once. */
  async sealLayer(layer: ReceivedLayer): Promise<NamedBlob> {
    const known = this.#sealed.get(layer.digest);
    if (known) return known;
    const fenced = this.#fenced.get(layer.digest);
    return this.#keep(fenced ? await copyBlob(this.#blobs, fenced) : await layer.seal());
  }

  /** A fence has come since some were sealed: what is sealed from now on gets a fresh copy. */
  copyAgain(): void {
    for (const [digest, copy] of this.#sealed) this.#fenced.set(digest, copy);
    this.#sealed.clear();
  }

  /** Stores a document, once, under the media type it was named with first. */
  async sealDocument({ digest, bytes }: ArchiveDocument, mediaType: string): Promise<NamedBlob> {
    const known = this.#sealed.get(digest);
    if (known) return known;
    const document = await receiveDocument(this.#blobs, bytes, mediaType);
    try {
      return this.#keep(await document.seal());
    } finally {
      await document.discard();
    }
  }

  /** A record may name these from now on, so that they stay, whatever becomes of the load. */
  propose(blobs: readonly NamedBlob[]): void {
    for (const { incarnation } of blobs) this.#named.set(incarnation, (this.#named.get(incarnation) ?? 0) + 1);
  }

  /** It is certain that no record of that proposal ever names them. */
  withdraw(blobs: readonly NamedBlob[]): void {
    for (const { incarnation } of blobs) this.#named.set(incarnation, (this.#named.get(incarnation) ?? 1) - 1);
  }

  async discard(): Promise<void> {
    for (const layer of this.#layers.values()) await layer.discard();
    for (const copy of this.#copies) {
      // What cannot be removed now is garbage to be collected; the load's own answer matters more.
      if ((this.#named.get(copy.incarnation) ?? 0) === 0) await this.#blobs.delete(copy).catch(() => undefined);
    }
  }

  #keep(blob: NamedBlob): NamedBlob {
    this.#sealed.set(blob.digest, blob);
    this.#copies.push(blob);
    return blob;
  }
}
