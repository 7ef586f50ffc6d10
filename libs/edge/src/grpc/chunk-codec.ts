/**
 * Messages that are a chunk of bytes and nothing else, written and read with one copy less than the generated codec makes:
 * of every byte stream in proto/, `chunk` is field 2 of the `oneof part`.
 */

/** Field 2, length-delimited. */
const tag = 0x12;
const lengthBytesMax = 5;

/** The chunk of a message as a handler makes it, undefined when it is another one. */
export function chunkOf(message: unknown): Buffer | undefined {
  const { part } = message as { part?: { $case?: unknown; value?: unknown } };
  return part?.$case === 'chunk' && Buffer.isBuffer(part.value) ? part.value : undefined;
}

export function encodeChunk(chunk: Buffer): Buffer {
  const bytes = Buffer.allocUnsafeSlow(1 + lengthBytesMax + chunk.length);
  bytes[0] = tag;
  let at = 1;
  let left = chunk.length;
  for (; left > 0x7f; left >>>= 7) bytes[at++] = (left & 0x7f) | 0x80;
  bytes[at++] = left;
  chunk.copy(bytes, at);
  return bytes.subarray(0, at + chunk.length);
}

/** Undefined when the bytes are another message. What is returned shares their memory. */
export function decodeChunk(bytes: Buffer): Buffer | undefined {
  if (bytes[0] !== tag) return undefined;
  let length = 0;
  let at = 1;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    if (byte === undefined || shift > 21) return undefined;
    length |= (byte & 0x7f) << shift;
    if (byte <= 0x7f) break;
  }
  return at + length === bytes.length ? bytes.subarray(at) : undefined;
}
