import type { LogRecord } from '#core/event';
import type { OutcomeRow } from '#core/graph-row';
import { limit } from '#core/limit';
import type { EventLog } from '#ports/event-log';
import type { GraphGeneration, GraphStore } from '#ports/graph-store';
import { checkNoGap, missingRecord } from './continue-log.js';
import { project, type Projected } from './project.js';

/** An empty graph for one partition, that is gone when it is closed. */
export interface ScratchGraph {
  readonly graph: Pick<GraphStore, 'beginGeneration'>;
  close(): Promise<void>;
}

interface Replay {
  readonly scratch: ScratchGraph;
  readonly generation: GraphGeneration;
  at: Projected;
}

/**
 * What became of records whose outcomes the graph has forgotten: they are folded again, from the first record on, into a
 * graph that is thrown away. Asked for one batch after the other it goes on from where it is.
 */
export class OutcomeReplay {
  readonly #log: EventLog;
  readonly #openScratch: () => Promise<ScratchGraph>;
  readonly #replays = new Map<number, Replay>();

  constructor(log: EventLog, openScratch: () => Promise<ScratchGraph>) {
    this.#log = log;
    this.#openScratch = openScratch;
  }

  /** The outcomes that these records of a partition made, by transaction. @throws LOG_TRUNCATED, STORAGE_FULL, UNSUPPORTED */
  async outcomes(partition: number, records: readonly LogRecord[]): Promise<ReadonlyMap<string, OutcomeRow>> {
    const [first, last] = [records[0]?.offset ?? 0, records.at(-1)?.offset ?? -1];
    const replay = await this.#replayBefore(partition, first);
    const found = new Map<string, OutcomeRow>();
    const target = targetOf(this.#log, replay.generation, (row) => {
      if (row.offset >= first) found.set(row.txid, row);
    });
    for await (const batch of this.#log.read(partition, replay.at.offset + 1)) {
      for (let from = 0; from < batch.length; from += limit.applyRecordsMax) {
        const some = batch.slice(from, from + limit.applyRecordsMax).filter(({ offset }) => offset <= last);
        if (some.length === 0) break;
        checkNoGap(this.#log, partition, replay.at.offset, some);
        replay.at = (await project(target, partition, replay.at, some)) ?? replay.at;
        await new Promise(setImmediate);
      }
      if (replay.at.offset >= last) return found;
    }
    throw missingRecord(this.#log, partition, replay.at.offset + 1);
  }

  /** Lets the graphs go; another question begins again. */
  async close(partition?: number): Promise<void> {
    for (const [each, { scratch, generation }] of this.#replays) {
      if (partition !== undefined && each !== partition) continue;
      this.#replays.delete(each);
      await generation.discard();
      await scratch.close();
    }
  }

  async #replayBefore(partition: number, offset: number): Promise<Replay> {
    const known = this.#replays.get(partition);
    if (known && known.at.offset < offset) return known;
    await this.close(partition);
    const scratch = await this.#openScratch();
    const generation = await scratch.graph.beginGeneration();
    const replay = { scratch, generation, at: await generation.checkpoint(0) };
    this.#replays.set(partition, replay);
    return replay;
  }
}

/** The scratch graph has one partition, whichever it stands for. */
function targetOf({ partitionCount }: EventLog, generation: GraphGeneration, tell: (row: OutcomeRow) => void) {
  return {
    partitionCount,
    checkpoint: () => generation.checkpoint(0),
    facts: (_: number, events: Parameters<GraphGeneration['facts']>[1]) => generation.facts(0, events),
    apply: (_: number, batch: Parameters<GraphGeneration['apply']>[1]) => {
      for (const change of batch.changes) if (change.type === 'outcome') tell(change.after);
      return generation.apply(0, batch);
    },
  };
}
