import { isVarveError } from '#core/error';
import type { GraphServer } from './graph-server.js';

/**
 * Removes, in the background, generations that were replaced, given up, or left behind by processes that died. What is
 * not removed now is removed by whoever comes next.
 */
export class UnusedGenerations {
  readonly #server: GraphServer;
  readonly #ending = new AbortController();
  #sweeping: Promise<void> = Promise.resolve();

  constructor(server: GraphServer) {
    this.#server = server;
  }

  sweep(): void {
    this.#sweeping = this.#sweeping.then(() => this.#sweep());
  }

  /** Lets go of what is under way. */
  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#sweeping;
  }

  async #sweep(): Promise<void> {
    const { signal } = this.#ending;
    try {
      if (signal.aborted) return;
      for (const generation of await this.#server.unusedGenerations()) {
        await this.#server.removeGeneration(generation, signal);
      }
    } catch (error) {
      // A server that is away has more urgent readers; the next sweep finds the same.
      if (!isVarveError(error)) throw error;
    }
  }
}
