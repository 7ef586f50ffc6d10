import type { Digest, DiffId } from '#core/digest';
import type { BlobReader } from './blob-store.js';

/** The stored content of an entry: `bytes` of its layer's tar from `position` on; holes are not stored. */
export interface StoredBody {
  readonly diffId: DiffId;
  readonly entry: number;
  readonly position: number;
  readonly bytes: number;
}

/** Where a body is kept beside others: its stored bytes lie in a pack from `position` on. */
export interface PackedPlace {
  readonly pack: Digest;
  readonly position: number;
}

/** Where the content of files is read from: layers, and packs that hold bodies of many of them. */
export interface BodySource {
  /** The uncompressed tar of a layer. @throws BLOB_UNKNOWN, CORRUPT, UNAVAILABLE */
  openLayer(diffId: DiffId): Promise<BlobReader>;
  /** Where an entry's content is packed, if it is. */
  packed(diffId: DiffId, entry: number): PackedPlace | undefined;
  /** @throws BLOB_UNKNOWN, UNAVAILABLE */
  openPack(pack: Digest): Promise<BlobReader>;
  /** Says that a pack is not there, or is not what it was: nothing is to be read from it any more. */
  forgetPack(pack: Digest): void;
}
