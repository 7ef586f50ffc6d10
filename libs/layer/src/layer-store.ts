import { type Digest, DigestBuilder, type DiffId } from '#core/digest';
import { isVarveError, VarveError } from '#core/error';
import type { LayerRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import type { BlobAddress, BlobReader, BlobStore, DerivedAddress } from '#ports/blob-store';
import type { BodySource } from '#ports/body-source';
import type { GraphReader } from '#ports/graph-store';
import { readBlob, streamBlob } from '#ports/read-blob';
import { decodeLayerIndexInTurns, type LayerIndex } from '#tar/layer-index';
import { LayerScanner } from '#tar/layer-scanner';
import { BodyPacks } from './body-packs.js';
import { decompress } from './decompress.js';
import { indexAddress, keepsIndex, seekableAddress } from './derived-address.js';
import { sealIndex } from './receive-layer.js';

/**
 * Stored layers, readable at any offset, with their indexes. What is derived and missing (evicted, lost in a crash, of
 * another version) is made again from the original bytes and checked; callers that want the same at once share it.
 */
export class LayerStore {
  readonly #graph: Pick<GraphReader, 'layer' | 'blob'>;
  readonly #blobs: BlobStore;
  /** Bodies of many layers, kept together. */
  readonly packs: BodyPacks;
  readonly #making = new Map<string, Promise<unknown>>();

  constructor(graph: Pick<GraphReader, 'layer' | 'blob'>, blobs: BlobStore) {
    this.#graph = graph;
    this.#blobs = blobs;
    this.packs = new BodyPacks(blobs, this);
  }

  /** The uncompressed tar of a layer. @throws BLOB_UNKNOWN, CORRUPT (the stored bytes are not the layer), UNAVAILABLE */
  async open(repo: RepositoryName, diffId: DiffId): Promise<BlobReader> {
    const row = await this.#row(repo, diffId);
    return (await this.#openPlain(row)) ?? (await this.#openSeekable(row)) ?? (await this.#openAgain(row));
  }

  /** Does not ask whether the repository has the layer: callers name layers of its commits. @throws BLOB_UNKNOWN, CORRUPT, UNAVAILABLE */
  async index(repo: RepositoryName, diffId: DiffId): Promise<LayerIndex> {
    const row = await this.#graph.layer(repo, diffId);
    const isKept = !row || keepsIndex({ ...row, isPlain: row.encodings.some(({ digest }) => digest === diffId) });
    const stored = isKept ? await this.#readIndex(indexAddress(diffId)) : undefined;
    return stored ?? this.#once(`index ${repo} ${diffId}`, () => this.#makeIndex(repo, diffId, isKept));
  }

  /** The sha256 of an entry's content if a pack knows it: 32 bytes, zeros for none. No index is read. */
  packedDigest(diffId: DiffId, entry: number): Uint8Array | undefined {
    return this.packs.digest(diffId, entry);
  }

  /** What a checkout reads from: the layers of a repository, and the packs that hold bodies of them. */
  bodies(repo: RepositoryName): BodySource {
    return {
      openLayer: (diffId) => this.open(repo, diffId),
      packed: (diffId, entry) => this.packs.packed(diffId, entry),
      openPack: (pack) => this.packs.open(pack),
      forgetPack: (pack) => this.packs.forget(pack),
    };
  }

  /** A blob as it was stored: a config, a manifest, a compressed layer. @throws BLOB_UNKNOWN, UNAVAILABLE */
  async openBlob(repo: RepositoryName, digest: Digest): Promise<BlobReader> {
    const row = await this.#graph.blob(repo, digest);
    if (!row) throw new VarveError('BLOB_UNKNOWN', `${repo} has no blob ${digest}`, { repo, digest });
    return this.#blobs.open(row);
  }

  async #row(repo: RepositoryName, diffId: DiffId): Promise<LayerRow> {
    const row = await this.#graph.layer(repo, diffId);
    if (!row) throw new VarveError('BLOB_UNKNOWN', `${repo} has no layer ${diffId}`, { repo, diffId });
    return row;
  }

  /** A tar that came uncompressed is its own random access form. */
  async #openPlain(row: LayerRow): Promise<BlobReader | undefined> {
    for (const encoding of row.encodings.filter(({ digest }) => digest === row.diffId)) {
      const reader = await this.#openIfHeld(encoding);
      if (!reader || reader.size === row.tarBytes) return reader;
      await reader.close();
      throw corrupt(row, `its blob has ${reader.size} bytes, not ${row.tarBytes}`);
    }
    return undefined;
  }

  /** A copy that a power cut made shorter counts as missing: it was never fsynced. */
  async #openSeekable(row: LayerRow): Promise<BlobReader | undefined> {
    const reader = await this.#openIfHeld(seekableAddress(row.diffId));
    if (!reader || reader.size === row.tarBytes) return reader;
    await reader.close();
    return undefined;
  }

  async #openAgain(row: LayerRow): Promise<BlobReader> {
    await this.#once(`seekable ${row.diffId}`, () => this.#makeSeekable(row));
    return this.#blobs.open(seekableAddress(row.diffId));
  }

  async #makeSeekable(row: LayerRow): Promise<void> {
    const original = await this.#openOriginal(row);
    const address = seekableAddress(row.diffId);
    const staged = await this.#blobs.stageDerived({ address, sizeBytesMax: row.tarBytes });
    const hash = new DigestBuilder();
    try {
      const { bytes } = await decompress(streamBlob(original));
      for await (const piece of bytes) {
        hash.update(piece);
        await staged.write(piece);
      }
      refuseOther(row, hash.digest());
      await staged.seal(address);
    } catch (error) {
      throw damage(row, error);
    } finally {
      await staged.discard();
      await original.close();
    }
  }

  async #openOriginal(row: LayerRow): Promise<BlobReader> {
    for (const encoding of row.encodings) {
      const reader = await this.#openIfHeld(encoding);
      if (reader) return reader;
    }
    throw new VarveError('BLOB_UNKNOWN', `the store holds no bytes of layer ${row.diffId}`, {
      diffId: row.diffId,
      encodings: row.encodings,
    });
  }

  async #openIfHeld(address: BlobAddress | DerivedAddress): Promise<BlobReader | undefined> {
    try {
      return await this.#blobs.open(address);
    } catch (error) {
      if (isVarveError(error, 'BLOB_UNKNOWN')) return undefined;
      throw error;
    }
  }

  /** An index that does not check itself counts as missing. */
  async #readIndex(address: DerivedAddress): Promise<LayerIndex | undefined> {
    const reader = await this.#openIfHeld(address);
    if (!reader) return undefined;
    try {
      return await decodeLayerIndexInTurns(await readBlob(reader));
    } catch (error) {
      if (isVarveError(error, 'CORRUPT')) return undefined;
      throw error;
    } finally {
      await reader.close();
    }
  }

  async #makeIndex(repo: RepositoryName, diffId: DiffId, isKept: boolean): Promise<LayerIndex> {
    const reader = await this.open(repo, diffId);
    const scanner = new LayerScanner();
    const hash = new DigestBuilder();
    try {
      for await (const bytes of streamBlob(reader)) {
        hash.update(bytes);
        scanner.push(bytes);
      }
      refuseOther({ diffId }, hash.digest());
    } catch (error) {
      throw damage({ diffId }, error);
    } finally {
      await reader.close();
    }
    const index = await scanner.finishInTurns();
    if (isKept) await sealIndex(this.#blobs, diffId, index);
    return index;
  }

  #once<T>(key: string, make: () => Promise<T>): Promise<T> {
    const running = this.#making.get(key);
    if (running) return running as Promise<T>;
    const made = make().finally(() => this.#making.delete(key));
    this.#making.set(key, made);
    return made;
  }
}

function refuseOther(row: Pick<LayerRow, 'diffId'>, actual: Digest): void {
  if (actual !== row.diffId) throw corrupt(row, `its stored bytes hash to ${actual}`);
}

/** A layer was valid when it was received, so what is wrong with it now is what we stored. */
function damage(row: Pick<LayerRow, 'diffId'>, error: unknown): unknown {
  return isVarveError(error, 'LAYER_INVALID') ? corrupt(row, error.message, error) : error;
}

function corrupt(row: Pick<LayerRow, 'diffId'>, why: string, cause?: unknown): VarveError {
  return new VarveError('CORRUPT', `layer ${row.diffId} is damaged: ${why}`, { diffId: row.diffId }, { cause });
}
