/** Spare buffers of one size that are kept. */
const spareMax = 4;

/**
 * Memory for reading ahead, of all readers of a store together. Who gets none reads only what is asked for. The largest
 * buffers are used again: the collector would let many of them pile up.
 */
export class ReadAhead {
  readonly #largestBytes: number;
  #freeBytes: number;
  readonly #spare: Buffer[] = [];

  constructor(bytesMax: number, largestBytes: number) {
    this.#freeBytes = bytesMax;
    this.#largestBytes = largestBytes;
  }

  /** Undefined when there is no room. Each is given back. */
  take(bytes: number): Buffer | undefined {
    if (bytes > this.#freeBytes) return undefined;
    this.#freeBytes -= bytes;
    const spare = bytes === this.#largestBytes ? this.#spare.pop() : undefined;
    return spare ?? Buffer.allocUnsafeSlow(bytes);
  }

  give(buffer: Buffer): void {
    this.#freeBytes += buffer.length;
    if (buffer.length === this.#largestBytes && this.#spare.length < spareMax) this.#spare.push(buffer);
  }
}
