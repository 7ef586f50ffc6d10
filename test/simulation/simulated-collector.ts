import { collect } from '#collect/collect';
import { isVarveError } from '#core/error';
import type { Actor } from './scheduler.js';
import { newActor, type Stores } from './simulated-cluster.js';

const outcomeWaitMs = 600;
/** Before each run; longer when there have been many, for most of what they can do is done then. */
const pauseMsMax = (runs: number) => (runs < 5 ? 40 : 800);

/** A collector's process, which collects again and again without any grace; after its death another one has its place. */
export class CollectorProcess {
  actor: Actor;
  readonly #stores: Stores;
  readonly #name: string;
  #lives = 0;
  #runs = 0;

  constructor(name: string, stores: Stores) {
    this.#stores = stores;
    this.#name = name;
    this.actor = newActor(name);
    void this.#goOn(this.actor);
  }

  /** In the middle of a run, or between two. */
  die(): void {
    this.actor.state = 'dead';
    this.#lives += 1;
    this.actor = newActor(`${this.#name}.${this.#lives}`);
    void this.#goOn(this.actor);
  }

  /** Ends what it does, without another in its place. */
  end(): void {
    this.actor.state = 'dead';
  }

  async #goOn(actor: Actor): Promise<void> {
    const { scheduler } = this.#stores;
    while (actor.state !== 'dead') {
      await scheduler.sleep(scheduler.pick(pauseMsMax(this.#runs)));
      try {
        await collectAs(actor, this.#stores, outcomeWaitMs);
        this.#runs += 1;
      } catch (error) {
        if (isVarveError(error) && passing.has(error.code)) continue;
        scheduler.broken ??= error;
        return;
      }
    }
  }
}

/** What a run may end with, and begin again. */
const passing: ReadonlySet<string> = new Set(['UNAVAILABLE', 'OUTCOME_UNKNOWN', 'STORAGE_FULL']);

/** One run, from the listing to the last record. */
export async function collectAs(
  actor: Actor,
  { scheduler, log, graph, blobs, wrapGateway }: Stores,
  waitMs: number,
): Promise<void> {
  const random = (sizeBytes: number) => Uint8Array.from({ length: sizeBytes }, () => scheduler.pick(256));
  // No clock is right; without grace none matters.
  const clock = { now: () => scheduler.now - 1_000 + scheduler.pick(2_000) };
  const ports = wrapGateway({ log: log.portOf(actor), graph: graph.portOf(actor) });
  const { candidates, removed } = await collect(
    { ...ports, blobs: blobs.portOf(actor), clock, random },
    { graceMs: 0, outcomeWaitMs: waitMs },
  );
  scheduler.note(`${actor.name} removed ${removed.count} of ${candidates.count} candidates`);
}
