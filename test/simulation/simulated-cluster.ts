import type { ChainId } from '#core/digest';
import { VarveError } from '#core/error';
import { emptyStack } from '#core/layer-stack';
import type { RefName, RepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import type { Position } from '#core/position';
import type { RefValue } from '#core/ref';
import { commitLayer, type LayerCommit } from '#history/commit-layer';
import { readRef } from '#history/read-ref';
import type { Submitter } from '#history/submitter';
import { cancelTransaction } from '#history/transaction';
import { type RefMove, updateRef } from '#history/update-ref';
import type { WriteContext, Written } from '#history/write';
import type { EventLog } from '#ports/event-log';
import type { BlobAddress, BlobStore } from '#ports/blob-store';
import type { GraphStore } from '#ports/graph-store';
import { awaitPosition } from '#query/await-position';
import { emptyTree } from '#union/rootfs-tree';
import { TreeStore } from '#union/tree-store';
import type { Actor, Scheduler } from './scheduler.js';
import type { SimulatedBlobs } from './simulated-blobs.js';
import type { SimulatedGraph } from './simulated-graph.js';
import { commitHinted, type HintedCommit } from './simulated-hint.js';
import { type SimulatedLayer, indexOf, uploaded } from './simulated-layers.js';
import type { SimulatedLog } from './simulated-log.js';

/** What a mutant puts between the product and the stores. */
export type Wrap = (stores: { log: EventLog; graph: GraphStore }) => { log: EventLog; graph: GraphStore };

export interface Stores {
  readonly scheduler: Scheduler;
  readonly log: SimulatedLog;
  readonly graph: SimulatedGraph;
  readonly blobs: SimulatedBlobs;
  /** Copies that were uploaded and that nobody who uploaded them removes: whoever hears of one may name it. */
  readonly hints: BlobAddress[];
  readonly wrapGateway: Wrap;
  readonly wrapProjector: Wrap;
  readonly Submitting: typeof Submitter;
}

const outcomeWaitMs = 400;

/** Any layer fits on any stack: what stacks mean is not simulated, and what one run has kept of them the next must not find. */
class Trees extends TreeStore {
  override async treeWith() {
    return emptyTree;
  }

  override async knownStack(chainId: ChainId, depth: number) {
    return { ...emptyStack, chainId, depth };
  }
}
const trees = new Trees({ loadIndex: (_repo, diffId) => indexOf(diffId), cacheBytes: 1 });

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
  #blobs: BlobStore;
  #submitter: Submitter;

  constructor(name: string, stores: Stores) {
    this.#stores = stores;
    this.#name = name;
    this.actor = newActor(name);
    [this.#log, this.#graph, this.#blobs, this.#submitter] = this.#start();
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
    [this.#log, this.#graph, this.#blobs, this.#submitter] = this.#start();
  }

  /** The answer, unless it dies first. */
  answer<T>(call: () => Promise<T>): Promise<T> {
    return Promise.race([call(), this.#dying.promise]);
  }

  move(move: RefMove, context: WriteContext): Promise<Written> {
    return updateRef({ graph: this.#graph, submitter: this.#submitter }, move, context);
  }

  commit(
    {
      layer,
      ...request
    }: Pick<LayerCommit, 'repo' | 'branch' | 'message' | 'expect'> & { layer: SimulatedLayer | null },
    context: WriteContext,
  ): Promise<Written> {
    const stores = { graph: this.#graph, submitter: this.#submitter, trees, blobs: this.#blobs };
    const received = layer && uploaded(this.#blobs, layer);
    return commitLayer(stores, { ...request, layer: received, author: '', time: null, labels: {} }, context);
  }

  /** Stores a layer and proposes nothing. */
  async upload(repo: RepositoryName, layer: SimulatedLayer): Promise<Written> {
    this.#stores.hints.push(await uploaded(this.#blobs, layer).seal());
    return this.#submitter.nothingWritten(repo);
  }

  /** Names a copy that is there already; without one, the layer comes as in any other commit. */
  async commitHinted({ layer, ...request }: Omit<HintedCommit, 'hint'>, context: WriteContext): Promise<Written> {
    const { pick } = this.#stores.scheduler;
    const named = await this.#graph.copies(pick(this.#graph.partitionCount), [layer.digest]);
    const uploads = this.#stores.hints.filter(({ digest }) => digest === layer.digest);
    const copies = [...named.filter(({ retiredEpoch }) => retiredEpoch === null), ...uploads];
    const hint = copies[pick(copies.length)];
    if (!hint) return this.commit({ ...request, layer }, context);
    const stores = { graph: this.#graph, submitter: this.#submitter, blobs: this.#blobs };
    return commitHinted(stores, { ...request, layer, hint }, context);
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
  end(name: { readonly repo: RepositoryName; readonly txid: string; readonly gcEpoch: number }, context: WriteContext) {
    return cancelTransaction({ graph: this.#graph, submitter: this.#submitter }, name, context);
  }

  /** Where a record of the repository stands. */
  positionOf(repo: RepositoryName, offset: number): Position {
    return { log: this.#log.id, partition: partitionOf(repo, this.#log.partitionCount), offset };
  }

  #start(): [EventLog, GraphStore, BlobStore, Submitter] {
    const { scheduler, wrapGateway, Submitting } = this.#stores;
    this.#dying = Promise.withResolvers();
    this.#dying.promise.catch(() => undefined);
    const { log, graph } = wrapGateway({
      log: this.#stores.log.portOf(this.actor),
      graph: this.#stores.graph.portOf(this.actor),
    });
    const random = (sizeBytes: number) => Uint8Array.from({ length: sizeBytes }, () => scheduler.pick(256));
    const clock = { now: () => scheduler.now };
    const blobs = this.#stores.blobs.portOf(this.actor);
    return [log, graph, blobs, new Submitting({ log, graph, random, clock, outcomeWaitMs })];
  }
}
