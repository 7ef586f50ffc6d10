import { setTimeout as sleep } from 'node:timers/promises';
import { isVarveError, VarveError } from '#core/error';
import type { EventLog } from '#ports/event-log';
import type { GraphReader } from '#ports/graph-store';
import { checkContinuity } from '#projection/continue-log';
import type { Standing } from './standing.js';

export interface Watched {
  readonly log: EventLog;
  readonly graph: GraphReader;
}

const lookEveryMsDefault = 1_000;
/** Asking the log costs more than asking the graph, and a log that shrinks is rarer than a graph that was lost. */
const looksPerLogCheck = 10;

/**
 * Watches a graph that other processes keep. A server that lost the graph, or its tail, answers as if older moments were
 * now until the projectors have made it again; this process has seen more, so it answers nothing until then. At the start
 * it has seen all that the log holds. It notices within a second. @see event-log 2.3
 */
export class GraphWatch implements Standing {
  readonly #watched: Watched;
  readonly #lookEveryMs: number;
  /** By partition: the last record that this process knows the graph has shown. */
  readonly #seen: number[] = [];
  readonly #ending = new AbortController();
  readonly #stopListening: () => void;
  #failure: VarveError | undefined;
  #behind: VarveError | undefined;
  #looking: Promise<void> = Promise.resolve();

  private constructor(watched: Watched, lookEveryMs: number) {
    this.#watched = watched;
    this.#lookEveryMs = lookEveryMs;
    this.#stopListening = watched.graph.onApplied(({ partition, offset }) => this.#see(partition, offset));
  }

  /** Returns when it has looked once. @throws UNAVAILABLE */
  static async start(watched: Watched, lookEveryMs = lookEveryMsDefault): Promise<GraphWatch> {
    const watch = new GraphWatch(watched, lookEveryMs);
    try {
      await Promise.all(
        watch.#partitions().map(async (partition) => watch.#see(partition, (await watched.log.end(partition)) - 1)),
      );
      await watch.#lookAtLog();
      await watch.#lookAtGraph();
    } catch (error) {
      watch.#stopListening();
      throw error;
    }
    watch.#looking = watch.#keepLooking();
    return watch;
  }

  failure(): VarveError | undefined {
    return this.#failure;
  }

  behind(): VarveError | undefined {
    return this.#behind;
  }

  async stop(): Promise<void> {
    this.#stopListening();
    this.#ending.abort();
    await this.#looking;
  }

  async #keepLooking(): Promise<void> {
    for (let look = 1; !this.#ending.signal.aborted; look += 1) {
      await sleep(this.#lookEveryMs, undefined, { signal: this.#ending.signal, ref: false }).catch(() => undefined);
      if (this.#ending.signal.aborted) return;
      try {
        await this.#lookAtGraph();
        if (look % looksPerLogCheck === 0) await this.#lookAtLog();
      } catch (error) {
        // Whoever asks a store that is away is told so by the store.
        if (!isVarveError(error)) throw error;
      }
    }
  }

  async #lookAtGraph(): Promise<void> {
    const { graph } = this.#watched;
    const late = await Promise.all(
      this.#partitions().map(async (partition) => {
        const seen = this.#seen[partition] ?? -1;
        const { offset } = await graph.checkpoint(partition);
        this.#see(partition, offset);
        return offset < seen ? [{ partition, offset, seen }] : [];
      }),
    );
    const [first] = late.flat();
    this.#behind = first && behind(first);
  }

  async #lookAtLog(): Promise<void> {
    const { log, graph } = this.#watched;
    try {
      for (const partition of this.#partitions()) {
        await checkContinuity(log, partition, await graph.checkpoint(partition));
      }
      this.#failure = undefined;
    } catch (error) {
      if (!isVarveError(error, 'LOG_TRUNCATED')) throw error;
      this.#failure = error;
    }
  }

  #see(partition: number, offset: number): void {
    this.#seen[partition] = Math.max(this.#seen[partition] ?? -1, offset);
  }

  #partitions(): number[] {
    return Array.from({ length: this.#watched.log.partitionCount }, (_, partition) => partition);
  }
}

function behind({ partition, offset, seen }: { partition: number; offset: number; seen: number }): VarveError {
  const message = `the graph is at record ${offset} of partition ${partition}, and record ${seen} was visible already: the projectors are making it again`;
  return new VarveError('NOT_PROJECTED', message, { partition, offset, seen });
}
