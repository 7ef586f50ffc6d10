import { constants, createGunzip, createZstdDecompress } from 'node:zlib';
import { VarveError } from '#core/error';
import { limit } from '#core/limit';
import type { Compression } from '#core/media-type';
import { detectCompression, magicBytes } from './compression.js';
import { inflate } from './inflate.js';
import { zstdFrames } from './zstd-frames.js';

/** Large, for each piece of output is a trip through the thread pool: 16 KiB, the default, costs a third of the speed. */
const chunkBytes = 1 << 20;

/** Reading `bytes`, to the end or not, closes the source. */
export interface Decompressed {
  readonly compression: Compression;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/**
 * The plain bytes of a stream, whatever its name says: gzip of any number of members with NUL padding, zstd of any
 * number of frames, or plain. Answers when it has seen the first bytes; reads no faster than `bytes` is read.
 * `bytes` throws LAYER_INVALID (rules `truncated`, `corrupt-stream`, `trailing-garbage`) and LIMIT_EXCEEDED (a ratio of
 * `limit.inflateRatioMax` once `limit.inflateRatioFloorBytes` came out, a zstd window over its limit), never after its
 * end. @throws LAYER_INVALID (rule `compression`: xz, bzip2, lz4) @see union/SPEC 4.4, 4.5
 */
export async function decompress(source: AsyncIterable<Uint8Array>): Promise<Decompressed> {
  const peeked = await peek(source, magicBytes);
  try {
    const compression = detectCompression(peeked.head);
    return { compression, bytes: plainBytes(compression, peeked.bytes) };
  } catch (error) {
    await peeked.close();
    throw error;
  }
}

function plainBytes(compression: Compression, bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  if (compression === 'none') return bytes;
  const counted = new Counted(bytes);
  const inflated =
    compression === 'gzip'
      ? inflate(counted, createGunzip({ chunkSize: chunkBytes }))
      : inflate(zstdFrames(counted), createZstdDecompress({ chunkSize: chunkBytes, params: zstdParameters }));
  return refuseBombs(inflated, counted);
}

const zstdParameters = { [constants.ZSTD_d_windowLogMax]: Math.log2(limit.zstdWindowBytesMax) };

/** Zero-filled files are the honest case of a high ratio, hence the floor. */
async function* refuseBombs(inflated: AsyncIterable<Uint8Array>, compressed: Counted): AsyncGenerator<Uint8Array> {
  let count = 0;
  for await (const bytes of inflated) {
    count += bytes.length;
    if (count >= limit.inflateRatioFloorBytes && count >= limit.inflateRatioMax * compressed.count) {
      throw new VarveError(
        'LIMIT_EXCEEDED',
        `${compressed.count} compressed bytes gave ${count}: more than ${limit.inflateRatioMax} to 1`,
        { limit: 'inflateRatioMax', compressedBytes: compressed.count, bytes: count, max: limit.inflateRatioMax },
      );
    }
    yield bytes;
  }
}

class Counted implements AsyncIterable<Uint8Array> {
  readonly #source: AsyncIterable<Uint8Array>;
  count = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for await (const bytes of this.#source) {
      this.count += bytes.length;
      yield bytes;
    }
  }
}

/** The first bytes, and all bytes (those too). Before `bytes` is read, only `close` lets the source go. */
async function peek(
  source: AsyncIterable<Uint8Array>,
  count: number,
): Promise<{ head: Uint8Array; bytes: AsyncIterable<Uint8Array>; close(): Promise<void> }> {
  const pieces = source[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < count) {
    const { done, value } = await pieces.next();
    if (done) break;
    // A copy, for the source may reuse its memory when it is asked for more.
    head = Buffer.concat([head, value]);
  }
  async function* bytes(): AsyncGenerator<Uint8Array> {
    try {
      if (head.length > 0) yield head;
      for (;;) {
        const { done, value } = await pieces.next();
        if (done) return;
        yield value;
      }
    } finally {
      await pieces.return?.();
    }
  }
  return {
    head,
    bytes: bytes(),
    async close() {
      await pieces.return?.();
    },
  };
}
