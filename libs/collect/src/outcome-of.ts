import { isVarveError } from '#core/error';
import type { OutcomeRow } from '#core/graph-row';
import type { GraphReader } from '#ports/graph-store';

const pollMsMin = 20;
const pollMsMax = 1_000;

/** A record that was sent, and where its partition ended afterwards: a hint, never a proof. */
export interface Sent {
  readonly partition: number;
  readonly txid: string;
  readonly end: number;
}

/**
 * What became of a record: undefined when the graph has passed `end` without knowing it, or at the signal. A graph that
 * is away for a while is waited for.
 */
export async function outcomeOf(graph: GraphReader, sent: Sent, until: AbortSignal): Promise<OutcomeRow | undefined> {
  const applied = new Applied(graph, sent.partition);
  try {
    for (let pollMs = pollMsMin; ; pollMs = Math.min(2 * pollMs, pollMsMax)) {
      const seen = await look(graph, sent);
      if (seen !== 'later') return seen;
      if (until.aborted) return undefined;
      await applied.within(pollMs);
    }
  } finally {
    applied.close();
  }
}

async function look(graph: GraphReader, { partition, txid, end }: Sent): Promise<OutcomeRow | undefined | 'later'> {
  try {
    const { checkpoint, row } = await graph.outcomeAt(partition, txid);
    return row ?? (checkpoint.offset >= end - 1 ? undefined : 'later');
  } catch (error) {
    if (isVarveError(error, 'UNAVAILABLE')) return 'later';
    throw error;
  }
}

/** Wakes whoever waits when something was applied to the partition. Notices may be lost. */
class Applied {
  #wake: () => void = () => undefined;
  readonly close: () => void;

  constructor(graph: GraphReader, partition: number) {
    this.close = graph.onApplied((notice) => {
      if (notice.partition === partition) this.#wake();
    });
  }

  async within(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
