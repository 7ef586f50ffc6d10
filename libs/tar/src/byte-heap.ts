import { grown } from './columns.js';

/** Bytes of many texts, one after the other; who appends keeps the ends. */
export class ByteHeap {
  #bytes = new Uint8Array(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The bytes so far and perhaps room behind them; another array after an append. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  append(source: Uint8Array, from = 0, to = source.length): void {
    const end = this.#length + to - from;
    if (end > this.#bytes.length) this.#bytes = grown(this.#bytes, end);
    // A loop beats `set(subarray)` on the short texts that names are.
    if (to - from < 64) for (let at = from, put = this.#length; at < to; at++) this.#bytes[put++] = source[at]!;
    else this.#bytes.set(source.subarray(from, to), this.#length);
    this.#length = end;
  }

  /** A copy of exactly the bytes so far. */
  toBytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}
