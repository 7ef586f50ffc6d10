/**
 * Memory for parts that go up, of all uploads of a store together. Only so many are on their way at a time; one that is
 * still being filled waits for nobody, for what fills it may itself wait for another upload. The buffers are used again:
 * the collector would let many of this size pile up.
 */
export class PartBuffers {
  readonly #bytes: number;
  #turns: number;
  readonly #spare: Buffer[] = [];
  readonly #waiting: (() => void)[] = [];

  /** `bytes`: of the usual part. */
  constructor(turns: number, bytes: number) {
    this.#turns = turns;
    this.#bytes = bytes;
  }

  /** At least so large. Whoever takes one gives it back. */
  take(bytes: number): Buffer {
    const spare = bytes <= this.#bytes ? this.#spare.pop() : undefined;
    return spare ?? Buffer.allocUnsafeSlow(Math.max(bytes, this.#bytes));
  }

  /** Not when a request that failed may still be reading from it. */
  give(buffer: Buffer): void {
    if (buffer.length === this.#bytes) this.#spare.push(buffer);
  }

  /** Waits until one more may be on its way. Whoever gets a turn ends it. */
  async turn(): Promise<void> {
    if (this.#turns > 0) this.#turns -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  endTurn(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#turns += 1;
  }
}
