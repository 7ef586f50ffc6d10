import { type Digest, DigestBuilder, type DiffId } from '#core/digest';
import { isVarveError } from '#core/error';
import type { LayerRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import { decompress } from '#layer/decompress';
import { indexAddress, keepsIndex, seekableAddress } from '#layer/derived-address';
import type { BlobAddress, BlobReader, BlobStore, DerivedAddress } from '#ports/blob-store';
import type { GraphReader } from '#ports/graph-store';
import { readBlob, streamBlob } from '#ports/read-blob';
import { encodeLayerIndex } from '#tar/layer-index';
import { LayerScanner } from '#tar/layer-scanner';
import { whereIs } from './fsck-blobs.js';
import { placeOf } from './fsck-derived.js';
import { checked, found, type FsckStep } from './fsck-finding.js';

interface Stores {
  readonly graph: Pick<GraphReader, 'layer' | 'blob'>;
  readonly blobs: Pick<BlobStore, 'open' | 'stat'>;
}

/** What is remembered of layers and documents already checked; beyond it some are checked again. */
const rememberedMax = 200_000;

/**
 * Layers and documents that commits name: their blobs are held, and what is derived from layers is what their bytes
 * give. Each is checked once, whoever names it.
 */
export class ContentCheck {
  readonly #stores: Stores;
  readonly #quick: boolean;
  readonly #damaged: ReadonlySet<Digest>;
  readonly #seen = new Set<string>();

  /** `damaged`: blobs whose own bytes are wrong, and were told of. */
  constructor(stores: Stores, options: { readonly quick: boolean; readonly damaged: ReadonlySet<Digest> }) {
    this.#stores = stores;
    this.#quick = options.quick;
    this.#damaged = options.damaged;
  }

  /** A config or a manifest. */
  async *document(repo: RepositoryName, digest: Digest, namedBy: string): AsyncGenerator<FsckStep> {
    if (this.#isSeen(`document ${digest}`)) return;
    const row = await this.#stores.graph.blob(repo, digest);
    if (!row) {
      yield found('document-unbound', {
        what: digest,
        where: namedBy,
        message: `${namedBy} names it, and the graph has no blob of this digest. Run varve rebuild`,
      });
    } else if ((await this.#stores.blobs.stat(row)) === undefined) {
      yield missingBlob(row, namedBy);
    }
  }

  async *layer(repo: RepositoryName, diffId: DiffId, namedBy: string): AsyncGenerator<FsckStep> {
    if (this.#isSeen(`layer ${diffId}`)) return;
    const row = await this.#stores.graph.layer(repo, diffId);
    if (!row) {
      yield found('layer-unbound', {
        what: diffId,
        where: namedBy,
        message: `${namedBy} names it, and the graph has no layer of this diffID. Run varve rebuild`,
      });
      return;
    }
    const held: BlobAddress[] = [];
    for (const encoding of row.encodings) {
      if ((await this.#stores.blobs.stat(encoding)) === undefined) yield missingBlob(encoding, namedBy);
      else held.push(encoding);
    }
    yield* this.#quick ? this.#derivedSizes(row, held) : this.#derivedBytes(row, held);
    yield checked('layers', 1);
  }

  #isSeen(key: string): boolean {
    if (this.#seen.has(key)) return true;
    if (this.#seen.size >= rememberedMax) this.#seen.clear();
    this.#seen.add(key);
    return false;
  }

  async *#derivedSizes(row: LayerRow, held: readonly BlobAddress[]): AsyncGenerator<FsckStep> {
    const { blobs } = this.#stores;
    if (hasIndex(row) && (await blobs.stat(indexAddress(row.diffId))) === undefined) yield missingIndex(row);
    if (held.some(({ digest }) => digest === row.diffId)) return;
    const size = await blobs.stat(seekableAddress(row.diffId));
    if (size === undefined) yield missingSeekable(row);
    else if (size !== row.tarBytes) yield damagedSeekable(row, `it has ${size} bytes, not ${row.tarBytes}`);
  }

  /** Reads the tar once, from where it lies plainly, else out of its compressed bytes. */
  async *#derivedBytes(row: LayerRow, held: readonly BlobAddress[]): AsyncGenerator<FsckStep> {
    const index = yield* this.#scanAnyForm(row, held);
    const stored = await this.#readIfHeld(indexAddress(row.diffId));
    if (!stored) {
      if (hasIndex(row)) yield missingIndex(row);
    } else if (index && Buffer.compare(stored, index) !== 0) {
      yield found('index-differs', {
        what: row.diffId,
        where: `index of layer ${row.diffId}, ${placeOf(indexAddress(row.diffId))}`,
        message: `the stored index (${stored.length} bytes) is not what the layer's tar gives (${index.length} bytes). Delete it while the server is stopped: it is made again from the layer`,
      });
    }
  }

  async *#scanAnyForm(row: LayerRow, held: readonly BlobAddress[]): AsyncGenerator<FsckStep, Uint8Array | undefined> {
    const sound = held.filter(({ digest }) => !this.#damaged.has(digest));
    const plain = sound.find(({ digest }) => digest === row.diffId);
    if (plain) return yield* this.#scan(row, plain);
    if (row.encodings.some(({ digest }) => digest === row.diffId)) return undefined;
    const seekable = yield* this.#scanSeekable(row);
    const original = sound[0];
    return seekable ?? (original && (yield* this.#scan(row, original)));
  }

  /** Undefined when there is no sound one. */
  async *#scanSeekable(row: LayerRow): AsyncGenerator<FsckStep, Uint8Array | undefined> {
    const address = seekableAddress(row.diffId);
    const reader = await this.#openIfHeld(address);
    if (!reader) {
      yield missingSeekable(row);
      return undefined;
    }
    const scan = new LayerScan(new DigestBuilder());
    try {
      for await (const bytes of streamBlob(reader)) {
        scan.push(bytes);
        yield checked('bytes', bytes.length);
      }
    } finally {
      await reader.close();
    }
    const actual = scan.digest();
    if (actual !== row.diffId) {
      yield damagedSeekable(row, `its bytes hash to ${actual}`);
      return undefined;
    }
    return scan.index ?? (yield invalid(row, scan.refusal), undefined);
  }

  /** The blob itself was found sound, so what comes out of it is the layer, or never was. */
  async *#scan(row: LayerRow, address: BlobAddress): AsyncGenerator<FsckStep, Uint8Array | undefined> {
    const reader = await this.#openIfHeld(address);
    if (!reader) return undefined;
    // The hash of a blob that is the tar itself was taken with all blobs'.
    const isHashed = address.digest === row.diffId;
    const scan = new LayerScan(isHashed ? undefined : new DigestBuilder());
    try {
      const { bytes } = await decompress(streamBlob(reader));
      for await (const piece of bytes) {
        scan.push(piece);
        yield checked('bytes', piece.length);
      }
    } catch (error) {
      if (!isVarveError(error, 'LAYER_INVALID')) throw error;
      scan.refusal ??= error.message;
    } finally {
      await reader.close();
    }
    const actual = isHashed ? row.diffId : scan.digest();
    if (actual !== row.diffId) scan.refusal ??= `its tar hashes to ${actual}`;
    return scan.index ?? (yield invalid(row, scan.refusal), undefined);
  }

  async #readIfHeld(address: DerivedAddress): Promise<Uint8Array | undefined> {
    const reader = await this.#openIfHeld(address);
    if (!reader) return undefined;
    try {
      return await readBlob(reader);
    } finally {
      await reader.close();
    }
  }

  /** Looks before it opens: a store may keep files open, and read what is not there any more. */
  async #openIfHeld(address: BlobAddress | DerivedAddress): Promise<BlobReader | undefined> {
    if ((await this.#stores.blobs.stat(address)) === undefined) return undefined;
    try {
      return await this.#stores.blobs.open(address);
    } catch (error) {
      if (isVarveError(error, 'BLOB_UNKNOWN')) return undefined;
      throw error;
    }
  }
}

/** The index and the hash of a tar that passes. A refusal of the scanner is kept: the hash goes on to its end. */
class LayerScan {
  readonly #scanner = new LayerScanner();
  readonly #hash: DigestBuilder | undefined;
  refusal: string | undefined;

  /** Without a hash there is no digest. */
  constructor(hash: DigestBuilder | undefined) {
    this.#hash = hash;
  }

  push(bytes: Uint8Array): void {
    this.#hash?.update(bytes);
    this.#unlessRefused(() => this.#scanner.push(bytes));
  }

  digest(): Digest | undefined {
    return this.#hash?.digest();
  }

  /** The bytes of the index; undefined when the tar was refused. Once. */
  get index(): Uint8Array | undefined {
    return this.#unlessRefused(() => encodeLayerIndex(this.#scanner.finish()));
  }

  #unlessRefused<T>(work: () => T): T | undefined {
    if (this.refusal !== undefined) return undefined;
    try {
      return work();
    } catch (error) {
      if (!isVarveError(error)) throw error;
      this.refusal = error.message;
      return undefined;
    }
  }
}

/** Whether there should be one; a small layer may have one of an earlier version of the server. */
function hasIndex({ diffId, tarBytes, encodings }: LayerRow): boolean {
  return keepsIndex({ tarBytes, isPlain: encodings.some(({ digest }) => digest === diffId) });
}

function missingBlob(address: BlobAddress, namedBy: string): FsckStep {
  return found('blob-missing', {
    what: address.digest,
    where: whereIs(address),
    message: `${namedBy} needs it, and the store does not hold it. Load or push again what has this blob, or restore it from a copy of the data folder`,
  });
}

function missingIndex({ diffId }: LayerRow): FsckStep {
  return found('index-missing', {
    what: diffId,
    where: `index of layer ${diffId}, ${placeOf(indexAddress(diffId))}`,
    message: 'the store does not hold it. Nothing needs to be done: it is made again from the layer on its next use',
  });
}

function missingSeekable({ diffId }: LayerRow): FsckStep {
  return found('seekable-missing', {
    what: diffId,
    where: `seekable copy of layer ${diffId}, ${placeOf(seekableAddress(diffId))}`,
    message: 'the store does not hold it. Nothing needs to be done: it is made again from the layer on its next use',
  });
}

function damagedSeekable({ diffId }: LayerRow, why: string): FsckStep {
  return found('seekable-differs', {
    what: diffId,
    where: `seekable copy of layer ${diffId}, ${placeOf(seekableAddress(diffId))}`,
    message: `it is not the tar of the layer: ${why}. Delete it while the server is stopped: it is made again from the layer`,
  });
}

function invalid({ diffId }: LayerRow, why = 'it cannot be read'): FsckStep {
  return found('layer-invalid', {
    what: diffId,
    where: `layer ${diffId}`,
    message: `its blob is as it was stored, and is not this layer: ${why}. Please report it: it should not have been accepted`,
  });
}
