import type { Digest } from '#core/digest';

/**
 * One stored copy of a blob. A blob that is uploaded twice has two incarnations; deleting one never hurts a
 * reference to the other. @see event-log.md 6.2
 */
export interface BlobAddress {
  readonly digest: Digest;
  readonly incarnation: string;
}

/**
 * Something that can be made again from blobs. `index`: a layer's index; `seekable`: a compressed layer's plain tar; `tree`: a
 * merged index; `pack`: bodies of many layers together; `tarball`: a root filesystem as a file, under a key of the try that made it;
 * `audit`: a piece of an audit tree. The one kind that nothing can make again is `checkpoint`: what was signed, a promise.
 */
export interface DerivedAddress {
  readonly kind: 'index' | 'seekable' | 'tree' | 'pack' | 'tarball' | 'audit' | 'checkpoint' | 'log';
  /** The version of the code's format; another version is another address. */
  readonly version: number;
  readonly key: Digest;
}

/**
 * Bytes, addressed by what they are. Nothing is visible before it is sealed, whole; sealing is atomic, and durable
 * for blobs and checkpoints (fsync), not necessarily for other derived bytes, which check themselves.
 */
export interface BlobStore {
  /** A place for bytes whose digest is not known yet. */
  stageBlob(): Promise<StagedBlob>;
  /**
   * A place for what can be made again. Whoever knows the address already says it, with the most bytes there can be,
   * and seals under that address: an object store then sends the bytes on while they come, and keeps none of them.
   */
  stageDerived(known?: { readonly address: DerivedAddress; readonly sizeBytesMax: number }): Promise<StagedDerived>;

  /** @throws BLOB_UNKNOWN, UNAVAILABLE */
  open(address: BlobAddress | DerivedAddress): Promise<BlobReader>;

  /** The size in bytes, or undefined when the store does not hold it. */
  stat(address: BlobAddress | DerivedAddress): Promise<number | undefined>;

  /** Success means "not held any more". */
  delete(address: BlobAddress | DerivedAddress): Promise<void>;

  /** Every blob after the given one, or all, ordered by digest and incarnation. */
  blobs(after?: BlobAddress): AsyncIterable<StoredBlob>;
  /** In any order. */
  derived(kind: DerivedAddress['kind']): AsyncIterable<StoredDerived>;

  /**
   * A URL from which anyone who has it downloads the bytes, for so many seconds, without another credential. Only
   * object stores have it. Does not look whether the store holds the bytes. @throws UNAVAILABLE
   */
  presign?(address: BlobAddress | DerivedAddress, expiresSeconds: number): Promise<string>;

  /** What is staged and not sealed, by anyone. Empty when nobody writes. */
  staged(): AsyncIterable<StagedFile>;

  /**
   * Removes what was staged and never sealed, by a process that ended or an upload that could not tidy up behind itself,
   * and was last written longer ago than told. Returns how many. Never takes what this process is writing; a store that
   * processes share leaves alone whatever is younger than its window, for another may be writing it. Call it at any time.
   */
  sweepStaging(olderThanMs?: number): Promise<number>;

  close(): Promise<void>;
}

export interface StagedFile {
  readonly name: string;
  readonly size: number;
  /** Milliseconds since 1970, by the store's clock. */
  readonly modifiedAt: number;
  /** This process is writing it; in a store that processes share, another may be. What no one writes is swept. */
  readonly inUse: boolean;
}

export interface StoredBlob extends BlobAddress {
  readonly size: number;
  /** Milliseconds since 1970, by the store's clock. */
  readonly modifiedAt: number;
}

export interface StoredDerived {
  readonly address: DerivedAddress;
  readonly size: number;
  /** Milliseconds since 1970, by the store's clock. */
  readonly modifiedAt: number;
}

/** Bytes on their way in. Whoever stages either seals or discards; both may be called once, `discard` always. */
export interface StagedBlob {
  /** The caller may reuse `bytes` when this returns. @throws STORAGE_FULL, UNAVAILABLE */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends the bytes and tells what they are. They are not visible yet. */
  finish(): Promise<{ readonly digest: Digest; readonly size: number }>;
  /** Makes them durable and visible under a new incarnation. Call `finish` first. */
  seal(): Promise<BlobAddress>;
  /** Leaves nothing behind. No effect after `seal`. */
  discard(): Promise<void>;
}

export interface StagedDerived {
  write(bytes: Uint8Array): Promise<void>;
  /** All that was written so far, before it is sealed; not of what was staged for an address. @throws UNAVAILABLE */
  read(): Promise<Uint8Array>;
  /** Visible, replacing what was there. */
  seal(address: DerivedAddress): Promise<void>;
  discard(): Promise<void>;
}

/** An open blob: reads at any offset, any number at once. */
export interface BlobReader {
  /** Bytes in all. */
  readonly size: number;
  /** Fills `target` from `position`; returns the bytes read, fewer only at the end. @throws UNAVAILABLE */
  read(target: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}

export function isDerived(address: BlobAddress | DerivedAddress): address is DerivedAddress {
  return 'kind' in address;
}
