import { moved } from './columns.js';

/** Bytes of many texts, one after the other; who appends keeps the ends. */
export class ByteHeap {
  #bytes: Uint8Array;
  #length = 0;

  /** With room for so many bytes, when that is known: growing takes as much again for a moment. */
  constructor(room = 1024) {
    this.#bytes = new Uint8Array(room);
  }

  get length(): number {
    return this.#length;
  }

  /** The bytes so far and perhaps room behind them; another array after an append. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  append(source: Uint8Array, from = 0, to = source.length): void {
    const end = this.#length + to - from;
    if (end > this.#bytes.length) {
      // Where it came from is given up when the heap grows.
      if (source.buffer === this.#bytes.buffer) return this.append(source.slice(from, to));
      this.#bytes = moved(this.#bytes, Math.max(end, Math.ceil(this.#bytes.length * 1.6)));
    }
    // A loop beats `set(subarray)` on the short texts that names are.
    if (to - from < 64) for (let at = from, put = this.#length; at < to; at++) this.#bytes[put++] = source[at]!;
    else this.#bytes.set(source.subarray(from, to), this.#length);
    this.#length = end;
  }

  /** Gives away exactly the bytes so far; the heap is empty then. */
  take(): Uint8Array {
    const bytes = moved(this.#bytes, this.#length);
    this.#bytes = new Uint8Array(0);
    this.#length = 0;
    return bytes;
  }

  /** A copy of exactly the bytes so far. */
  toBytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}
