import { hash } from 'node:crypto';
import { digestFromHex } from '#core/digest';
import { isVarveError, VarveError } from '#core/error';
import type { BlobStore, DerivedAddress } from '#ports/blob-store';
import { readBlob } from '#ports/read-blob';
import { decodePieces, encodePieces } from './audit-codec.js';

/** What the trees need of a blob store. */
export type PieceBlobs = Pick<BlobStore, 'stageDerived' | 'open' | 'stat' | 'delete' | 'derived'>;

/** Part of the format of what is stored. */
const pieceVersion = 1;
const cacheBytesMax = 24 << 20;

/** One full piece of a tree: so many rows or paths one after the other, or the one tile. It does not change any more. */
export interface PieceName {
  readonly tree: number;
  readonly part: 'rows' | 'paths' | `tile ${number}`;
  readonly index: number;
}

/** Full pieces of trees as objects of the blob store, the ones read last in memory. */
export class AuditPieces {
  readonly #blobs: PieceBlobs;
  readonly #scope: string;
  readonly #cached = new Map<string, { readonly parts: Promise<readonly Buffer[]>; bytes: number }>();
  #cachedBytes = 0;

  /** `scope` keeps the trees of several logs in one store apart. */
  constructor(blobs: PieceBlobs, scope: string) {
    this.#blobs = blobs;
    this.#scope = scope;
  }

  /** Durable when it returns; written again it is the same. @throws UNAVAILABLE, STORAGE_FULL */
  async write(name: PieceName, parts: readonly Uint8Array[]): Promise<void> {
    const staged = await this.#blobs.stageDerived();
    try {
      await staged.write(encodePieces(parts));
      await staged.seal(this.#addressOf(name));
    } finally {
      await staged.discard();
    }
  }

  async has(name: PieceName): Promise<boolean> {
    return (await this.#blobs.stat(this.#addressOf(name))) !== undefined;
  }

  /**
   * Reads through memory. A tree that began anew may have other pieces under the same names: `life` says which one is
   * meant. @throws CORRUPT when it is lost or damaged, UNAVAILABLE
   */
  async read(name: PieceName, life: string): Promise<readonly Buffer[]> {
    const key = `${life} ${name.tree} ${name.part} ${name.index}`;
    const known = this.#cached.get(key);
    if (known) {
      this.#cached.delete(key);
      this.#cached.set(key, known);
      return known.parts;
    }
    const entry = { parts: this.readOnce(name), bytes: 0 };
    this.#cached.set(key, entry);
    try {
      const parts = await entry.parts;
      if (this.#cached.get(key) === entry) {
        entry.bytes = parts.reduce((sum, { length }) => sum + length, 0);
        this.#cachedBytes += entry.bytes;
        this.#forgetOldest();
      }
      return parts;
    } catch (error) {
      if (this.#cached.get(key) === entry) this.#cached.delete(key);
      throw error;
    }
  }

  /** For those who read all of a tree: past the memory. @throws as `read` */
  async readOnce(name: PieceName): Promise<readonly Buffer[]> {
    const what = `piece ${name.index} of the ${name.part} of audit tree ${name.tree}`;
    const reader = await this.#blobs.open(this.#addressOf(name)).catch((error: unknown) => lost(error, what));
    try {
      return decodePieces(await readBlob(reader), what);
    } finally {
      await reader.close();
    }
  }

  #addressOf({ tree, part, index }: PieceName): DerivedAddress {
    const hex = hash('sha256', `${this.#scope}/${tree}/${part}/${index}`);
    return { kind: 'audit', version: pieceVersion, key: digestFromHex(hex) };
  }

  #forgetOldest(): void {
    for (const [key, { bytes }] of this.#cached) {
      if (this.#cachedBytes <= cacheBytesMax) return;
      this.#cached.delete(key);
      this.#cachedBytes -= bytes;
    }
  }
}

function lost(error: unknown, what: string): never {
  if (!isVarveError(error, 'BLOB_UNKNOWN')) throw error;
  const message = `the blob store has lost ${what}: restore it from a copy`;
  throw new VarveError('CORRUPT', message, { piece: what }, { cause: error });
}
