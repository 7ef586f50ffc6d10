import { createHash } from 'node:crypto';
import type { Digest, DiffId } from '#core/digest';
import type { BlobReader } from '#ports/blob-store';
import { readBlob } from '#ports/read-blob';
import { BodyPack } from './body-pack.js';

/** A body, and whether its bytes are those of the file that the table says. */
export interface CheckedBody {
  readonly diffId: DiffId;
  readonly entry: number;
  /** Null: the table has no digest for it. */
  readonly isSound: boolean | null;
}

/** Bodies begin at multiples of 8, and their length is not in the table. */
const paddingMax = 7;
const noDigest = Buffer.alloc(32);
const emptyDigest = createHash('sha256').digest();

/**
 * Reads a whole pack, a body at a time. The stored bytes of a sparse file are not those of the file, and told as not
 * sound: who knows the layer knows that. @throws CORRUPT when it is no pack of this key, or not whole, UNAVAILABLE
 */
export async function* checkBodyPack(reader: BlobReader, key: Digest): AsyncGenerator<CheckedBody> {
  const pack = await BodyPack.read(reader, key);
  for (const { diffId, entry, row, position, end } of pack.places()) {
    const digest = pack.digest(row);
    if (noDigest.equals(digest)) yield { diffId, entry, isSound: null };
    else if (emptyDigest.equals(digest)) yield { diffId, entry, isSound: true };
    else yield { diffId, entry, isSound: isOf(await readBlob(reader, position, end), digest) };
  }
}

/** Whether the bytes, without some zeros at their end, hash to the digest. */
function isOf(bytes: Buffer, digest: Uint8Array): boolean {
  const shortest = Math.max(0, bytes.length - paddingMax);
  const hash = createHash('sha256').update(bytes.subarray(0, shortest));
  for (let length = bytes.length; length >= shortest; length--) {
    const one = hash.copy().update(bytes.subarray(shortest, length)).digest();
    if (one.equals(digest)) return true;
    if (bytes[length - 1] !== 0) return false;
  }
  return false;
}
