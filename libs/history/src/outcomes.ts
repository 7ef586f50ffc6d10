import { isVarveError } from '#core/error';
import type { OutcomeRow, PartitionRow } from '#core/graph-row';
import type { GraphReader } from '#ports/graph-store';

const pollMsMin = 20;
const pollMsMax = 1_000;

/**
 * What became of a transaction that someone waits for. `absent`: the graph has passed the record and knows no outcome;
 * the partition is as it was after that, so what it keeps was kept.
 */
export type Awaited =
  | { readonly type: 'decided'; readonly row: OutcomeRow }
  | { readonly type: 'absent'; readonly partition: PartitionRow }
  | { readonly type: 'ended' };

/** Tells those who wait what the fold has made of their transactions. */
export class Outcomes {
  readonly #graph: GraphReader;
  readonly #waiters = new Map<string, Set<(row: OutcomeRow) => void>>();
  readonly #stopListening: () => void;

  constructor(graph: GraphReader) {
    this.#graph = graph;
    this.#stopListening = graph.onApplied(({ outcomes }) => {
      for (const row of outcomes) for (const tell of this.#waiters.get(row.txid) ?? []) tell(row);
    });
  }

  /** Listens from now on: ask before the record is sent, and close when done. */
  listen(partition: number, txid: string): Listening {
    const decided = Promise.withResolvers<OutcomeRow>();
    const waiters = this.#waiters.get(txid) ?? new Set();
    this.#waiters.set(txid, waiters.add(decided.resolve));
    return new Listening(this.#graph, { partition, txid, decided: decided.promise }, () => {
      waiters.delete(decided.resolve);
      if (waiters.size === 0) this.#waiters.delete(txid);
    });
  }

  close(): void {
    this.#stopListening();
  }
}

interface Subject {
  readonly partition: number;
  readonly txid: string;
  readonly decided: Promise<OutcomeRow>;
}

/** One wait for one transaction. Notices may be lost, so it polls as well, ever more slowly. */
export class Listening {
  readonly #graph: GraphReader;
  readonly #subject: Subject;
  readonly close: () => void;

  constructor(graph: GraphReader, subject: Subject, close: () => void) {
    this.#graph = graph;
    this.#subject = subject;
    this.close = close;
  }

  /**
   * Until the outcome is there, the graph has passed `end` without one, or the signal aborts. `end` is where the log
   * ended when the append was acknowledged: a hint of when to send again, never a proof. @see event-log 1.6 rule 9
   */
  async until(end: number, signal: AbortSignal): Promise<Awaited> {
    for (let pollMs = pollMsMin; ; pollMs = Math.min(2 * pollMs, pollMsMax)) {
      const row = await this.#within(pollMs, signal);
      if (row) return { type: 'decided', row };
      const seen = await this.#look(end);
      if (seen) return seen;
      if (signal.aborted) return { type: 'ended' };
    }
  }

  async #look(end: number): Promise<Awaited | undefined> {
    const { partition, txid } = this.#subject;
    try {
      const { checkpoint, row } = await this.#graph.outcomeAt(partition, txid);
      if (row) return { type: 'decided', row };
      if (checkpoint.offset < end - 1) return undefined;
      return { type: 'absent', partition: (await this.#graph.checkpoint(partition)).partition };
    } catch (error) {
      // The write may stand: a graph that is away for a while does not make it fail.
      if (isVarveError(error, 'UNAVAILABLE')) return undefined;
      throw error;
    }
  }

  async #within(ms: number, signal: AbortSignal): Promise<OutcomeRow | undefined> {
    const over = Promise.withResolvers<undefined>();
    const end = () => over.resolve(undefined);
    const timer = setTimeout(end, signal.aborted ? 0 : ms);
    signal.addEventListener('abort', end, { once: true });
    try {
      return await Promise.race([this.#subject.decided, over.promise]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
    }
  }
}
