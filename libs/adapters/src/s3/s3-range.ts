import type { Readable } from 'node:stream';
import { VarveError } from '#core/error';

/** Bytes `[from, from + bytes.length)` of an object as it is now. */
export interface ObjectRange {
  readonly bytes: Buffer;
  /** Of the whole object. */
  readonly size: number;
  /** Another object under the same key has another one. */
  readonly etag: string;
}

interface WantedRange {
  readonly key: string;
  readonly from: number;
  readonly target: Buffer;
  /** Where earlier answers to the same request broke off. */
  readonly ends: number[];
}

/** A server that cannot read on closes the connection, like one that dies; only one of them does so always at one byte. */
const sameEndsMax = 3;

/**
 * Reads the answer to a ranged GET into the target. A broken connection is told as one, unless the answer has broken off
 * at the same byte again and again. @throws CORRUPT
 */
export async function receiveRange(answer: Readable, { key, from, target, ends }: WantedRange): Promise<ObjectRange> {
  const { headers } = answer as Readable & { headers: Record<string, string | undefined> };
  const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers['content-range'] ?? '');
  if (Number(range?.[1] ?? 0) !== from) {
    answer.destroy();
    throw new Error(`the server does not answer ranges of ${key}`);
  }
  const size = Number(range?.[2] ?? headers['content-length']);
  const expected = Math.min(target.length, size - from);
  const { count, cause } = await fill(answer, target);
  if (count === expected) return { bytes: target.subarray(0, count), size, etag: headers['etag'] ?? '' };
  ends.push(count);
  if (ends.filter((end) => end === count).length >= sameEndsMax) throw cutShort(key, from + count, size);
  const message = `the answer ended after ${count} of ${expected} bytes`;
  throw Object.assign(new Error(message, { cause }), { code: 'ECONNRESET' });
}

/** Until the answer ends or breaks off, whatever the reason. */
async function fill(answer: Readable, target: Buffer): Promise<{ readonly count: number; readonly cause?: unknown }> {
  let count = 0;
  try {
    for await (const bytes of answer as AsyncIterable<Buffer>) count += bytes.copy(target, count);
  } catch (cause) {
    return { count, cause };
  }
  return { count };
}

function cutShort(key: string, end: number, size: number): VarveError {
  const message = `${key} is damaged: it is told to have ${size} bytes, and reading it breaks off at byte ${end} each time`;
  return new VarveError('CORRUPT', message, { key, end, size });
}
