import type { Digest, DiffId } from '#core/digest';
import { isVarveError, VarveError } from '#core/error';
import type { RepositoryName } from '#core/name';
import type { BlobReader, BlobStore } from '#ports/blob-store';
import type { PackedPlace, StoredBody } from '#ports/body-source';
import type { LayerIndex } from '#tar/layer-index';
import { BodyPack, bodyPackVersion, packAddress, packedBytes } from './body-pack.js';

/** Tables of packs that are kept in memory; the packs read or made longest ago are forgotten first. */
const tableBytesMax = 32 << 20;
const openLayersMax = 64;
const pieceBytes = 256 << 10;
const digestBytes = 32;

/** Where packs get bodies from that are in none yet. */
export interface PackSource {
  open(repo: RepositoryName, diffId: DiffId): Promise<BlobReader>;
  index(repo: RepositoryName, diffId: DiffId): Promise<LayerIndex>;
}

/**
 * The body packs this process knows of. A pack says where to find bytes that a layer has too, so it is right for any tree,
 * and a pack that is gone, damaged or forgotten costs nothing but time.
 */
export class BodyPacks {
  /** Of the format of packs. */
  readonly version = bodyPackVersion;
  readonly #blobs: Pick<BlobStore, 'open' | 'stageDerived' | 'delete'>;
  readonly #source: PackSource;
  /** In the order they were read or made. */
  readonly #packs = new Map<Digest, BodyPack>();
  #tableBytes = 0;
  readonly #byLayer = new Map<DiffId, { readonly pack: BodyPack; readonly layer: number }[]>();

  constructor(blobs: Pick<BlobStore, 'open' | 'stageDerived' | 'delete'>, source: PackSource) {
    this.#blobs = blobs;
    this.#source = source;
  }

  /** Where the content of an entry is packed. */
  packed(diffId: DiffId, entry: number): PackedPlace | undefined {
    const found = this.#find(diffId, entry);
    return found && { pack: found.pack.key, position: found.pack.position(found.row) };
  }

  /** The sha256 of the content of an entry: 32 bytes, zeros for none; undefined when no pack knows. */
  digest(diffId: DiffId, entry: number): Uint8Array | undefined {
    const found = this.#find(diffId, entry);
    return found?.pack.digest(found.row);
  }

  /** Whether this process reads from it. */
  isKnown(key: Digest): boolean {
    return this.#packs.has(key);
  }

  /** @throws BLOB_UNKNOWN, UNAVAILABLE */
  open(key: Digest): Promise<BlobReader> {
    return this.#blobs.open(packAddress(key));
  }

  forget(key: Digest): void {
    const pack = this.#packs.get(key);
    if (!pack) return;
    this.#packs.delete(key);
    this.#tableBytes -= pack.tableBytes;
    for (const diffId of pack.layers) {
      const others = this.#byLayer.get(diffId)!.filter((one) => one.pack !== pack);
      if (others.length > 0) this.#byLayer.set(diffId, others);
      else this.#byLayer.delete(diffId);
    }
  }

  /** Gets to know packs that an earlier process made; those that are gone are passed over. Tells whether all are there. @throws UNAVAILABLE */
  async load(keys: readonly Digest[]): Promise<boolean> {
    for (const key of keys) {
      if (this.#packs.has(key)) continue;
      const pack = await this.#read(key).catch(unlessGone);
      if (pack) this.#keep(pack);
    }
    return keys.every((key) => this.#packs.has(key));
  }

  /**
   * Puts bodies into a new pack, in the order given, and removes the packs it replaces. Returns its key.
   * @throws BLOB_UNKNOWN, CORRUPT, STORAGE_FULL, UNAVAILABLE (nothing is kept)
   */
  async make(repo: RepositoryName, bodies: readonly StoredBody[], replaced: readonly Digest[]): Promise<Digest> {
    const { head, pack } = BodyPack.lay(bodies, await this.#digests(repo, bodies));
    const staged = await this.#blobs.stageDerived({ address: packAddress(pack.key), sizeBytesMax: pack.size });
    const readers = new OpenReaders();
    try {
      await staged.write(head);
      for await (const piece of this.#contents(repo, bodies, readers)) await staged.write(piece);
      await staged.seal(packAddress(pack.key));
    } finally {
      await readers.close();
      await staged.discard();
    }
    this.#keep(pack);
    for (const key of replaced.filter((one) => one !== pack.key)) {
      this.forget(key);
      await this.#blobs.delete(packAddress(key));
    }
    return pack.key;
  }

  #find(diffId: DiffId, entry: number): { readonly pack: BodyPack; readonly row: number } | undefined {
    for (const { pack, layer } of this.#byLayer.get(diffId) ?? []) {
      const row = pack.row(layer, entry);
      if (row >= 0) return { pack, row };
    }
    return undefined;
  }

  #keep(pack: BodyPack): void {
    this.forget(pack.key);
    this.#packs.set(pack.key, pack);
    this.#tableBytes += pack.tableBytes;
    for (const [layer, diffId] of pack.layers.entries()) {
      this.#byLayer.set(diffId, [{ pack, layer }, ...(this.#byLayer.get(diffId) ?? [])]);
    }
    for (const oldest of this.#packs.keys()) {
      if (this.#tableBytes <= tableBytesMax || oldest === pack.key) break;
      this.forget(oldest);
    }
  }

  async #read(key: Digest): Promise<BodyPack> {
    const reader = await this.open(key);
    try {
      return await BodyPack.read(reader, key);
    } finally {
      await reader.close();
    }
  }

  async #digests(repo: RepositoryName, bodies: readonly StoredBody[]): Promise<Uint8Array[]> {
    const columns = new Map<DiffId, Uint8Array>();
    const digests: Uint8Array[] = [];
    for (const { diffId, entry } of bodies) {
      const known = this.digest(diffId, entry);
      if (!known && !columns.has(diffId)) {
        columns.set(diffId, (await this.#source.index(repo, diffId)).entries.contentDigest);
      }
      const from = entry * digestBytes;
      digests.push(known ?? columns.get(diffId)!.slice(from, from + digestBytes));
    }
    return digests;
  }

  /** The bodies as they lie in the object, gathered into pieces that are worth a write. */
  async *#contents(
    repo: RepositoryName,
    bodies: readonly StoredBody[],
    readers: OpenReaders,
  ): AsyncGenerator<Uint8Array> {
    let piece = Buffer.alloc(pieceBytes);
    let at = 0;
    for (const { diffId, entry, position, bytes } of bodies) {
      const length = packedBytes(bytes);
      if (at + length > piece.length) {
        yield piece.subarray(0, at);
        piece = Buffer.alloc(Math.max(pieceBytes, length));
        at = 0;
      }
      const place = this.packed(diffId, entry);
      const from = place?.position ?? position;
      const reader = place
        ? await readers.get(place.pack, () => this.open(place.pack))
        : await readers.get(diffId, () => this.#source.open(repo, diffId));
      await readFully(reader, piece.subarray(at, at + bytes), from, diffId);
      at += length;
    }
    yield piece.subarray(0, at);
  }
}

/** The readers used last, open. */
class OpenReaders {
  readonly #open = new Map<Digest, BlobReader>();

  async get(key: Digest, open: () => Promise<BlobReader>): Promise<BlobReader> {
    const reader = this.#open.get(key) ?? (await open());
    this.#open.delete(key);
    this.#open.set(key, reader);
    for (const [oldest, unused] of this.#open) {
      if (this.#open.size <= openLayersMax) break;
      this.#open.delete(oldest);
      await unused.close();
    }
    return reader;
  }

  async close(): Promise<void> {
    for (const reader of this.#open.values()) await reader.close();
  }
}

async function readFully(reader: BlobReader, target: Uint8Array, position: number, diffId: DiffId): Promise<void> {
  for (let done = 0; done < target.length;) {
    const count = await reader.read(target.subarray(done), position + done);
    if (count === 0)
      throw new VarveError('CORRUPT', `layer ${diffId} ends before a body that it should have`, { diffId });
    done += count;
  }
}

function unlessGone(error: unknown): undefined {
  if (isVarveError(error) && (error.code === 'BLOB_UNKNOWN' || error.code === 'CORRUPT')) return undefined;
  throw error;
}
