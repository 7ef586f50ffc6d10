import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { VarveError } from '#core/error';
import type { OutcomeRow } from '#core/graph-row';
import { limit } from '#core/limit';
import type { AppliedNotice, GraphBatch, GraphGeneration, GraphStore } from '#ports/graph-store';
import { wrapGraph } from '../fixture/wrapped-stores.js';
import { law, same, show } from './law.js';
import type { Actor, Scheduler } from './scheduler.js';

interface Applied {
  readonly partition: number;
  readonly batch: GraphBatch;
}
interface Building {
  generation: GraphGeneration;
  applied: Applied[];
}

/**
 * The one graph, with the network before it, and with what a store may do to it: notices that are lost, its tail
 * forgotten. Whatever is applied to it or to a generation is compared with what was applied at that offset before.
 */
export class SimulatedGraph {
  isFaulty = true;
  /** An answer that hangs comes within so long; 0: none hangs. */
  hangMsMax = 0;
  /** The store itself, for who checks it. */
  store: GraphStore;
  /** How often it went back. */
  rollBacks = 0;
  readonly #scheduler: Scheduler;
  readonly #partitionCount: number;
  #applied: Applied[] = [];
  #building: Building | undefined;
  readonly #listeners = new Set<{ readonly actor: Actor; readonly hear: (notice: AppliedNotice) => void }>();
  readonly #digests = new Map<string, string>();
  readonly #outcomes = new Map<string, OutcomeRow>();

  constructor(scheduler: Scheduler, partitionCount: number) {
    this.#scheduler = scheduler;
    this.#partitionCount = partitionCount;
    this.store = openMemoryGraphStore(partitionCount);
  }

  portOf(actor: Actor): GraphStore {
    const calls = [
      'checkpoint',
      'outcome',
      'outcomeAt',
      'repository',
      'ref',
      'commit',
      'commitAt',
      'commitBytes',
      'reflogAt',
      'layer',
      'blob',
      'copies',
      'retiredCopies',
    ] as const;
    const reads = calls.map((name) => [name, (...args: unknown[]) => this.#read(actor, name, args)]);
    return wrapGraph(this.store, {
      ...Object.fromEntries(reads),
      facts: (partition, events) => this.#called(actor, 'facts', () => this.store.facts(partition, events)),
      apply: (partition, batch) =>
        this.#called(actor, `applies ${batch.offset}`, () => this.#apply({ partition, batch })),
      beginGeneration: () => this.#called(actor, 'begins a generation', () => this.#begin(actor)),
      onApplied: (hear) => {
        const listener = { actor, hear };
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    });
  }

  /** The store is one from some batches ago, rows and checkpoints alike. */
  async rollBack(): Promise<void> {
    this.rollBacks += 1;
    const keep = this.#applied.length - this.#scheduler.pick(Math.min(8, this.#applied.length + 1));
    this.#scheduler.note(`the graph goes back from ${this.#applied.length} batches to ${keep}`);
    const store = openMemoryGraphStore(this.#partitionCount);
    this.#applied = this.#applied.slice(0, keep);
    for (const { partition, batch } of this.#applied) await store.apply(partition, batch);
    if (this.#building) {
      this.#building.generation = await store.beginGeneration();
      for (const { partition, batch } of this.#building.applied)
        await this.#building.generation.apply(partition, batch);
    }
    this.store = store;
  }

  async #read(actor: Actor, name: keyof GraphStore, args: readonly unknown[]): Promise<unknown> {
    return this.#called(actor, name, () =>
      (this.store[name] as (...args: readonly unknown[]) => Promise<unknown>).apply(this.store, [...args]),
    );
  }

  /** A request, and now and then an answer that is under way for so long that others come between. */
  async #called<T>(actor: Actor, label: string, call: () => Promise<T>): Promise<T> {
    await this.#scheduler.turn(actor, label);
    if (this.isFaulty && this.#scheduler.chance(60)) throw new VarveError('UNAVAILABLE', 'the graph does not answer');
    const answer = await call();
    if (this.hangMsMax > 0 && this.#scheduler.chance(100)) {
      await this.#scheduler.sleep(this.#scheduler.pick(this.hangMsMax));
      await this.#scheduler.turn(actor, `${label}: late answer`);
    } else if (this.#scheduler.chance(3)) await this.#scheduler.turn(actor, `${label}: answer`);
    return answer;
  }

  async #apply({ partition, batch }: Applied): Promise<boolean> {
    if (!(await this.store.apply(partition, batch))) return false;
    this.#applied.push({ partition, batch });
    const outcomes = this.#compare({ partition, batch });
    for (const { actor, hear } of this.#listeners) {
      if (this.isFaulty && this.#scheduler.chance(3)) continue;
      const notice = { partition, offset: batch.offset, outcomes };
      void this.#scheduler.turn(actor, `hears of ${batch.offset}`).then(() => hear(notice));
    }
    return true;
  }

  #compare(applied: Applied): OutcomeRow[] {
    try {
      return this.#compared(applied);
    } catch (error) {
      this.#scheduler.broken ??= error;
      throw error;
    }
  }

  #compared({ partition, batch }: Applied): OutcomeRow[] {
    const at = `${partition}.${batch.offset}`;
    const digest = this.#digests.get(at) ?? batch.stateDigest;
    law('I1', digest === batch.stateDigest, `the state at ${at} was ${digest} and is ${batch.stateDigest}`);
    this.#digests.set(at, batch.stateDigest);
    const outcomes = batch.changes.flatMap((change) => (change.type === 'outcome' ? [change.after] : []));
    for (const row of outcomes) {
      const before = this.#outcomes.get(row.txid) ?? row;
      law(
        'I5',
        same(before, row) || isForgotten(before, row),
        `transaction ${row.txid} had ${show(before)} and has ${show(row)}`,
      );
      this.#outcomes.set(row.txid, row);
    }
    return outcomes;
  }

  async #begin(actor: Actor): Promise<GraphGeneration> {
    const building: Building = { generation: await this.store.beginGeneration(), applied: [] };
    this.#building = building;
    const called = <T>(label: string, call: () => Promise<T>) => this.#called(actor, `generation: ${label}`, call);
    return {
      partitionCount: this.#partitionCount,
      checkpoint: (partition) => called('checkpoint', () => building.generation.checkpoint(partition)),
      facts: (partition, events) => called('facts', () => building.generation.facts(partition, events)),
      apply: (partition, batch) =>
        called(`applies ${batch.offset}`, async () => {
          const applied = await building.generation.apply(partition, batch);
          if (applied) building.applied.push({ partition, batch });
          if (applied) this.#compare({ partition, batch });
          return applied;
        }),
      promote: () =>
        called('promote', async () => {
          const promoted = await building.generation.promote();
          if (promoted) this.#applied = building.applied;
          if (promoted) this.#building = undefined;
          return promoted;
        }),
      discard: async () => {
        await building.generation.discard();
        this.#building = undefined;
      },
    };
  }
}

/** Whether the outcome is so old at the other one that the transaction may have been made again under its key. */
function isForgotten(before: OutcomeRow, { time }: OutcomeRow): boolean {
  return before.time + limit.outcomesKeptMs <= time;
}
