import { randomBytes } from 'node:crypto';
import { VarveError } from '#core/error';
import {
  type BlobAddress,
  type BlobReader,
  type BlobStore,
  type DerivedAddress,
  isDerived,
  type StagedBlob,
  type StagedDerived,
  type StagedFile,
  type StoredBlob,
  type StoredDerived,
} from '#ports/blob-store';
import { hashedBlob } from '../hashed-blob.js';

/** A blob store that is forgotten when the process ends, for tests and for trying things out. */
export function openMemoryBlobStore(): BlobStore {
  return new MemoryBlobStore();
}

interface Held {
  readonly bytes: Buffer;
  readonly modifiedAt: number;
}

class MemoryBlobStore implements BlobStore {
  readonly #blobs = new Map<string, Held & { readonly address: BlobAddress }>();
  readonly #derived = new Map<string, Held & { readonly address: DerivedAddress }>();
  readonly #staged = new Map<string, Staging>();

  async stageBlob(): Promise<StagedBlob> {
    const staging = this.#stage();
    return hashedBlob({
      write: async (bytes) => staging.push(bytes),
      seal: async (digest) => {
        const address = { digest, incarnation: randomBytes(16).toString('hex') };
        this.#blobs.set(keyOf(address), { address, ...staging.take() });
        return address;
      },
      discard: async () => staging.drop(),
    });
  }

  async stageDerived(): Promise<StagedDerived> {
    const staging = this.#stage();
    return {
      write: async (bytes) => staging.push(bytes),
      read: async () => staging.bytes(),
      seal: async (address) => {
        this.#derived.set(keyOf(address), { address, ...staging.take() });
      },
      discard: async () => staging.drop(),
    };
  }

  async open(address: BlobAddress | DerivedAddress): Promise<BlobReader> {
    const held = this.#find(address);
    if (!held) throw new VarveError('BLOB_UNKNOWN', `the store does not hold ${keyOf(address)}`, { address });
    return {
      size: held.bytes.length,
      read: async (target, position) => held.bytes.copy(target, 0, position, position + target.length),
      close: async () => undefined,
    };
  }

  async stat(address: BlobAddress | DerivedAddress): Promise<number | undefined> {
    return this.#find(address)?.bytes.length;
  }

  async delete(address: BlobAddress | DerivedAddress): Promise<void> {
    (isDerived(address) ? this.#derived : this.#blobs).delete(keyOf(address));
  }

  async *blobs(after?: BlobAddress): AsyncGenerator<StoredBlob> {
    const from = after ? keyOf(after) : '';
    for (const key of [...this.#blobs.keys()].toSorted()) {
      const held = this.#blobs.get(key);
      if (held && key > from) yield { ...held.address, size: held.bytes.length, modifiedAt: held.modifiedAt };
    }
  }

  async *derived(kind: DerivedAddress['kind']): AsyncGenerator<StoredDerived> {
    for (const { address, bytes, modifiedAt } of this.#derived.values()) {
      if (address.kind === kind) yield { address, size: bytes.length, modifiedAt };
    }
  }

  async *staged(): AsyncGenerator<StagedFile> {
    for (const [name, { size, modifiedAt }] of this.#staged) yield { name, size, modifiedAt, inUse: true };
  }

  /** No other process ever staged anything here. */
  async sweepStaging(): Promise<number> {
    return 0;
  }

  async close(): Promise<void> {
    for (const staging of this.#staged.values()) staging.drop();
  }

  #find(address: BlobAddress | DerivedAddress): Held | undefined {
    return (isDerived(address) ? this.#derived : this.#blobs).get(keyOf(address));
  }

  #stage(): Staging {
    const name = randomBytes(16).toString('hex');
    const staging = new Staging(() => this.#staged.delete(name));
    this.#staged.set(name, staging);
    return staging;
  }
}

/** Bytes that nobody sees yet. */
class Staging {
  readonly #forget: () => void;
  #pieces: Buffer[] = [];
  size = 0;
  modifiedAt = Date.now();

  constructor(forget: () => void) {
    this.#forget = forget;
  }

  push(bytes: Uint8Array): void {
    this.#pieces.push(Buffer.from(bytes));
    this.size += bytes.length;
    this.modifiedAt = Date.now();
  }

  bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  take(): Held {
    const held = { bytes: this.bytes(), modifiedAt: this.modifiedAt };
    this.drop();
    return held;
  }

  drop(): void {
    this.#pieces = [];
    this.#forget();
  }
}

/** Sorts as the addresses do: a digest has a fixed length. */
function keyOf(address: BlobAddress | DerivedAddress): string {
  if (isDerived(address)) return `${address.kind}/v${address.version}/${address.key}`;
  return `${address.digest}/${address.incarnation}`;
}
