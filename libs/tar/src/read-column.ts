import { createHash } from 'node:crypto';
import type { BlobReader } from '#ports/blob-store';
import { readBlob, streamBlob } from '#ports/read-blob';
import { aligned, corrupt, digestBytes, type Directory, headBytes, magic } from './columns.js';

/** A directory that says it is larger than this is none. */
const directoryBytesMax = 1 << 20;

/**
 * One column of bytes, out of columns that are stored, without reading the others. Nothing is checked but the directory.
 * @throws CORRUPT when it is not there, UNAVAILABLE
 */
export async function readColumn(
  reader: BlobReader,
  { format, version, name }: { readonly format: string; readonly version: number; readonly name: string },
): Promise<Uint8Array> {
  if (reader.size < headBytes) throw corrupt(format, 'is not columns');
  const head = await readBlob(reader, 0, headBytes);
  const directoryEnd = headBytes + head.readUInt32LE(4);
  const isHead = head.readUInt32LE(0) === magic && directoryEnd <= Math.min(reader.size, directoryBytesMax);
  if (!isHead) throw corrupt(format, 'is not columns');
  const directory = directoryIn(await readBlob(reader, headBytes, directoryEnd));
  if (directory?.format !== format || directory.version !== version) throw corrupt(format, 'is of another format');
  const section = directory.sections.find((one) => one[0] === name);
  if (!section || section[1] !== 'u8') throw corrupt(format, `has no column ${name} of bytes`);
  const from = aligned(directoryEnd) + section[2];
  if (from + section[3] > reader.size) throw corrupt(format, 'ends before its columns do');
  return readBlob(reader, from, from + section[3]);
}

/** Whether stored columns are the bytes that were written: they end in the sha256 of the rest. @throws UNAVAILABLE */
export async function hashesToItsEnd(reader: BlobReader): Promise<boolean> {
  const end = reader.size - digestBytes;
  if (end < headBytes) return false;
  const hash = createHash('sha256');
  for await (const piece of streamBlob(reader, 0, end)) hash.update(piece);
  return hash.digest().equals(await readBlob(reader, end));
}

/** Undefined when its bytes are no directory: they were not hashed. */
function directoryIn(bytes: Buffer): Directory | undefined {
  try {
    const directory = JSON.parse(bytes.toString()) as Directory;
    return Array.isArray(directory.sections) ? directory : undefined;
  } catch {
    return undefined;
  }
}
