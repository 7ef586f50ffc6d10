import { VarveError } from '#core/error';
import type { BlobReader } from '#ports/blob-store';
import type { ReadAhead } from './read-ahead.js';
import type { ObjectRange } from './s3-range.js';
import type { S3Requests } from './s3-requests.js';

/** What comes with the first request of a reader: all of a small object. */
export const headBytes = 128 << 10;

const windowBytesMin = 512 << 10;
export const windowBytesMax = 4 << 20;
/** A read that begins this near behind the end of the last one goes on from there: a tar's readers skip. */
const skipBytesMax = 1 << 20;
/** The one being read, the one behind it, and one that another read of the same time is still in. */
const windowsMax = 3;

/** A stretch of the object, here or on its way. */
interface Window {
  readonly from: number;
  readonly to: number;
  readonly buffer: Buffer;
  readonly filled: Promise<unknown>;
  /** Its request, the reader until it drops it, and the reads that copy from it. */
  users: number;
}

/**
 * An object, read by ranges. Whoever reads on from where the last read ended gets larger and larger windows, the next
 * one under way before it is asked for; whoever jumps pays for what is asked. A reader never mixes two objects: when
 * the one under the key was replaced, its reads fail.
 */
export class S3Reader implements BlobReader {
  readonly size: number;
  readonly #key: string;
  readonly #requests: S3Requests;
  readonly #readAhead: ReadAhead;
  readonly #head: ObjectRange;
  /** In the order of their making. */
  #windows: Window[] = [];
  #windowBytes = windowBytesMin;
  #lastEnd = 0;
  #isClosed = false;

  constructor(requests: S3Requests, readAhead: ReadAhead, { key, head }: { key: string; head: ObjectRange }) {
    this.#requests = requests;
    this.#readAhead = readAhead;
    this.#key = key;
    this.#head = head;
    this.size = head.size;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    const end = Math.min(position + target.length, this.size);
    if (position >= end) return 0;
    const wanted = target.subarray(0, end - position);
    const isNext = position >= this.#lastEnd - skipBytesMax && position <= this.#lastEnd + skipBytesMax;
    this.#lastEnd = end;
    if (!isNext) this.#windowBytes = windowBytesMin;
    for (let done = 0; done < wanted.length;) {
      done += await this.#some(wanted.subarray(done), position + done, isNext);
    }
    return wanted.length;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const window of this.#windows.splice(0)) this.#leave(window);
  }

  /** At least one byte. */
  async #some(target: Uint8Array, position: number, isNext: boolean): Promise<number> {
    const { bytes: head } = this.#head;
    if (position < head.length) return head.copy(target, 0, position);
    const window = this.#windowAt(position) ?? (isNext ? this.#open(position, target.length) : undefined);
    if (!window) return this.#fetch(target, position);
    if (isNext && window === this.#windows.at(-1)) this.#open(window.to, 0);
    window.users += 1;
    try {
      await window.filled;
      return window.buffer.copy(target, 0, position - window.from);
    } finally {
      this.#leave(window);
    }
  }

  #windowAt(position: number): Window | undefined {
    return this.#windows.find(({ from, to }) => position >= from && position < to);
  }

  /** Undefined when there is no room, or a window would hold little more than is asked for. */
  #open(from: number, asked: number): Window | undefined {
    const size = Math.min(Math.max(this.#windowBytes, 2 * asked), windowBytesMax);
    const to = Math.min(from + size, this.size);
    const isWorthIt = to > from && asked < size;
    const buffer = this.#isClosed || !isWorthIt ? undefined : this.#readAhead.take(to - from);
    if (!buffer) return undefined;
    const filled = this.#fetch(buffer, from);
    const window: Window = { from, to, buffer, filled, users: 2 };
    filled.catch(() => this.#forget(window)).finally(() => this.#leave(window));
    this.#windows.push(window);
    if (this.#windows.length > windowsMax) this.#leave(this.#windows.shift()!);
    this.#windowBytes = Math.min(2 * this.#windowBytes, windowBytesMax);
    return window;
  }

  /** A window that failed is asked for anew. */
  #forget(window: Window): void {
    if (!this.#windows.includes(window)) return;
    this.#windows = this.#windows.filter((other) => other !== window);
    this.#leave(window);
  }

  /** The last one out gives its memory back. */
  #leave(window: Window): void {
    window.users -= 1;
    if (window.users === 0) this.#readAhead.give(window.buffer);
  }

  /** Fills the target, which lies within the object. */
  async #fetch(target: Uint8Array, position: number): Promise<number> {
    const buffer = Buffer.from(target.buffer, target.byteOffset, target.length);
    const range = await this.#requests.get(this.#key, position, buffer);
    if (!range) throw gone(this.#key);
    if (range.etag !== this.#head.etag) throw replaced(this.#key);
    if (range.size !== this.size) throw resized(this.#key, this.size, range.size);
    return range.bytes.length;
  }
}

function gone(key: string): VarveError {
  return new VarveError('BLOB_UNKNOWN', `${key} was deleted while it was read`, { key });
}

function replaced(key: string): VarveError {
  return new VarveError('UNAVAILABLE', `${key} was replaced while it was read: read it again`, { key });
}

function resized(key: string, expected: number, actual: number): VarveError {
  return new VarveError('CORRUPT', `${key} has ${actual} bytes; it had ${expected} when it was opened`, {
    key,
    expected,
    actual,
  });
}
