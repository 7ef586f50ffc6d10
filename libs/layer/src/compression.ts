import { VarveError } from '#core/error';
import type { Compression } from '#core/media-type';

/** As many first bytes as `detectCompression` wants to see. */
export const magicBytes = 10;

const gzip = Buffer.from([0x1f, 0x8b, 0x08]);
const zstd = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
/** What others compress with and OCI has no media type for. A tar can begin with none of them but by a strange name. */
const refused: readonly (readonly [name: string, magic: Buffer])[] = [
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
  ['lz4', Buffer.from([0x04, 0x22, 0x4d, 0x18])],
];

/**
 * How bytes are compressed, by their first bytes whatever a name or media type says. What is nothing we know is a plain
 * tar, also no bytes at all. @throws LAYER_INVALID (rule `compression`) for xz, bzip2 and lz4, by name
 */
export function detectCompression(head: Uint8Array): Compression {
  const first = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  if (startsWith(first, gzip)) return 'gzip';
  if (startsWith(first, zstd) || isSkippableMagic(first)) return 'zstd';
  const other = isBzip2(first) ? 'bzip2' : refused.find(([, magic]) => startsWith(first, magic))?.[0];
  if (other === undefined) return 'none';
  throw new VarveError('LAYER_INVALID', `the bytes are compressed with ${other}; only gzip, zstd and plain are read`, {
    rule: 'compression',
    compression: other,
  });
}

/** A frame of zstd that carries no content; a stream may begin with one. @see RFC 8878 3.1.2 */
export function isSkippableMagic(bytes: Uint8Array): boolean {
  return (
    bytes.length >= 4 && (bytes[0]! & 0xf0) === 0x50 && bytes[1] === 0x2a && bytes[2] === 0x4d && bytes[3] === 0x18
  );
}

export function isZstdMagic(bytes: Uint8Array): boolean {
  return startsWith(Buffer.from(bytes), zstd);
}

/** `BZh`, a digit and the block magic: a file may well be named `BZh1.txt`. */
function isBzip2(first: Buffer): boolean {
  return /^BZh[1-9]1AY&SY/.test(first.toString('latin1'));
}

function startsWith(bytes: Buffer, magic: Buffer): boolean {
  return bytes.subarray(0, magic.length).equals(magic);
}
