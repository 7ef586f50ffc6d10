import { hash } from 'node:crypto';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { VarveError } from '#core/error';
import type { AuditRow } from '#ports/audit-store';

const digestBytes = 32;

/** Byte strings as one object of the blob store: compressed, behind a digest by which it checks itself. */
export function encodePieces(parts: readonly Uint8Array[]): Uint8Array {
  const head = Buffer.alloc(4 * (1 + parts.length));
  head.writeUInt32BE(parts.length);
  parts.forEach((part, i) => head.writeUInt32BE(part.length, 4 * (1 + i)));
  const packed = zstdCompressSync(Buffer.concat([head, ...parts]));
  return Buffer.concat([hash('sha256', packed, 'buffer'), packed]);
}

/** @throws CORRUPT when they are not as they were written; `what` names them */
export function decodePieces(bytes: Buffer, what: string): Buffer[] {
  const packed = bytes.subarray(digestBytes);
  if (!hash('sha256', packed, 'buffer').equals(bytes.subarray(0, digestBytes))) {
    const message = `${what} is damaged in the blob store: restore it from a copy, or delete derived/audit and the keys of the audit in Redis, so that the trees are made again from the event log`;
    throw new VarveError('CORRUPT', message, { piece: what });
  }
  const all = zstdDecompressSync(packed);
  const count = all.readUInt32BE();
  let at = 4 * (1 + count);
  return Array.from({ length: count }, (_, i) => all.subarray(at, (at += all.readUInt32BE(4 * (1 + i)))));
}

const rowHeadBytes = 12;

/** A row without its offset, which is where it stands. */
export function encodeRow({ entry, moves, about }: AuditRow): Buffer {
  const head = Buffer.alloc(rowHeadBytes);
  head.writeDoubleBE(moves);
  head.writeUInt32BE(entry.length, 8);
  return Buffer.concat([head, entry, Buffer.from(about)]);
}

/** Whether the text beside the entry has all of these in it: most rows need not be decoded to know. */
export function rowHas(bytes: Buffer, texts: readonly Buffer[]): boolean {
  const about = bytes.subarray(rowHeadBytes + bytes.readUInt32BE(8));
  return texts.every((text) => about.includes(text));
}

export function decodeRow(offset: number, bytes: Buffer): AuditRow {
  const aboutAt = rowHeadBytes + bytes.readUInt32BE(8);
  return {
    offset,
    entry: bytes.subarray(rowHeadBytes, aboutAt),
    moves: bytes.readDoubleBE(),
    about: bytes.toString('utf8', aboutAt),
  };
}
