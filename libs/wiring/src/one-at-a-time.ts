import { VarveError } from '#core/error';

/** Work that only one caller may do at a time; the others are told to come again, they do not wait. */
export class OneAtATime {
  readonly #what: string;
  #isRunning = false;

  /** `what` the work is, for the message to the others. */
  constructor(what: string) {
    this.#what = what;
  }

  /** @throws OVERLOADED while somebody else is at it, and whatever the work throws */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.#begin();
    try {
      return await work();
    } finally {
      this.#isRunning = false;
    }
  }

  /** The same for work that is done while it is read; it is over when its reader is. */
  async *iterate<T>(work: () => AsyncIterable<T>): AsyncGenerator<T> {
    this.#begin();
    try {
      yield* work();
    } finally {
      this.#isRunning = false;
    }
  }

  #begin(): void {
    if (this.#isRunning) {
      throw new VarveError('OVERLOADED', `${this.#what} is running already; ask again when it is over`);
    }
    this.#isRunning = true;
  }
}
