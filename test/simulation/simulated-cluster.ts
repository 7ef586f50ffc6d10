import { openMemoryBlobStore } from '#adapters/memory/memory-blob-store';
import { VarveError } from '#core/error';
import type { RefName, RepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import type { Position } from '#core/position';
import type { RefValue } from '#core/ref';
import { commitLayer } from '#history/commit-layer';
import { readRef } from '#history/read-ref';
import { Submitter } from '#history/submitter';
import { cancelTransaction } from '#history/transaction';
import { type RefMove, updateRef } from '#history/update-ref';
import type { WriteContext, Written } from '#history/write';
import type { EventLog } from '#ports/event-log';
import type { GraphStore } from '#ports/graph-store';
import { Projector } from '#projection/follow';
import { awaitPosition } from '#query/await-position';
import { TreeStore } from '#union/tree-store';
import type { Actor, Scheduler } from './scheduler.js';
import type { SimulatedGraph } from './simulated-graph.js';
import type { SimulatedLog } from './simulated-log.js';

/** What a mutant puts between the product and the stores. */
export type Wrap = (stores: { log: EventLog; graph: GraphStore }) => { log: EventLog; graph: GraphStore };

export interface Stores {
  readonly scheduler: Scheduler;
  readonly log: SimulatedLog;
  readonly graph: SimulatedGraph;
  readonly wrapGateway: Wrap;
  readonly wrapProjector: Wrap;
}

const outcomeWaitMs = 400;
const blobs = openMemoryBlobStore();
const trees = new TreeStore({
  loadIndex: () => Promise.reject(new Error('commits of a simulation have no layers')),
  cacheBytes: 1,
});

export function newActor(name: string): Actor {
  return { name, state: 'awake' };
}

/** The write side of one process; after its death another one has its place. */
export class Gateway {
  actor: Actor;
  #lives = 0;
  readonly #stores: Stores;
  readonly #name: string;
  #dying = Promise.withResolvers<never>();
  #log: EventLog;
  #graph: GraphStore;
  #submitter: Submitter;

  constructor(name: string, stores: Stores) {
    this.#stores = stores;
    this.#name = name;
    this.actor = newActor(name);
    [this.#log, this.#graph, this.#submitter] = this.#start();
  }

  get rollBacks(): number {
    return this.#stores.graph.rollBacks;
  }

  /** Whoever waits for it is told nothing more; nothing of it goes on. */
  die(): void {
    this.actor.state = 'dead';
    this.#dying.reject(new VarveError('UNAVAILABLE', 'the connection is gone'));
    this.#lives += 1;
    this.actor = newActor(`${this.#name}.${this.#lives}`);
    [this.#log, this.#graph, this.#submitter] = this.#start();
  }

  /** The answer, unless it dies first. */
  answer<T>(call: () => Promise<T>): Promise<T> {
    return Promise.race([call(), this.#dying.promise]);
  }

  move(move: RefMove, context: WriteContext): Promise<Written> {
    return updateRef({ graph: this.#graph, submitter: this.#submitter }, move, context);
  }

  commit(
    request: { repo: RepositoryName; branch: RefName; message: string; expect: RefValue | undefined },
    context: WriteContext,
  ): Promise<Written> {
    const stores = { graph: this.#graph, submitter: this.#submitter, trees, blobs };
    return commitLayer(stores, { ...request, layer: null, author: '', time: null, labels: {} }, context);
  }

  /** At a position, or at the end of the log; answers a position that shows the value. A store that goes back under the reader is read again. */
  async read(
    { repo, ref }: { repo: RepositoryName; ref: RefName },
    position: Position | undefined,
  ): Promise<{ value: RefValue; position: Position }> {
    const [log, graph] = [this.#log, this.#graph];
    const partition = partitionOf(repo, log.partitionCount);
    const at = position ?? { log: log.id, partition, offset: (await log.end(partition)) - 1 };
    for (;;) {
      const { rollBacks } = this.#stores.graph;
      await awaitPosition({ graph, log }, at);
      const value = await readRef(graph, repo, ref);
      const { offset } = await graph.checkpoint(partition);
      if (this.#stores.graph.rollBacks === rollBacks) return { value, position: { ...at, offset } };
    }
  }

  /** The outcome of a transaction, by ending it if it has none. */
  end(repo: RepositoryName, txid: string, context: WriteContext) {
    return cancelTransaction({ graph: this.#graph, submitter: this.#submitter }, { repo, txid }, context);
  }

  #start(): [EventLog, GraphStore, Submitter] {
    const { scheduler, wrapGateway } = this.#stores;
    this.#dying = Promise.withResolvers();
    this.#dying.promise.catch(() => undefined);
    const { log, graph } = wrapGateway({
      log: this.#stores.log.portOf(this.actor),
      graph: this.#stores.graph.portOf(this.actor),
    });
    const random = (sizeBytes: number) => Uint8Array.from({ length: sizeBytes }, () => scheduler.pick(256));
    const clock = { now: () => scheduler.now };
    return [log, graph, new Submitter({ log, graph, random, clock, outcomeWaitMs })];
  }
}

/** A projector's process; after its death another one has its place. */
export class ProjectorProcess {
  actor: Actor;
  #projector: Projector;
  readonly #stores: Stores;
  readonly #name: string;
  #lives = 0;

  constructor(name: string, stores: Stores) {
    this.#name = name;
    this.#stores = stores;
    this.actor = newActor(name);
    this.#projector = this.#start();
  }

  /** Why it halted, which it never may. */
  get halted(): VarveError | undefined {
    return this.#projector.halted;
  }

  die(): void {
    this.actor.state = 'dead';
    this.#lives += 1;
    this.actor = newActor(`${this.#name}.${this.#lives}`);
    this.#projector = this.#start();
  }

  #start(): Projector {
    const { log, graph } = this.#stores;
    const ports = this.#stores.wrapProjector({ log: log.portOf(this.actor), graph: graph.portOf(this.actor) });
    const projector = new Projector(ports);
    projector.start();
    return projector;
  }
}
