import { partitionOf } from '#core/partition';
import { Submitter } from '#history/submitter';
import { checkLaws } from './check-laws.js';
import { law } from './law.js';
import { scenarioOf } from './scenario.js';
import { Scheduler } from './scheduler.js';
import { SimulatedBlobs } from './simulated-blobs.js';
import { Client } from './simulated-client.js';
import { Gateway, newActor, type Stores, type Wrap } from './simulated-cluster.js';
import { collectAs, CollectorProcess } from './simulated-collector.js';
import { creations, firstRecord, refs } from './simulated-content.js';
import { SimulatedGraph } from './simulated-graph.js';
import { SimulatedLog } from './simulated-log.js';
import { ProjectorProcess } from './simulated-projector.js';
import { type Processes, Trouble } from './trouble.js';
import type { Wish } from './wish.js';
import { Truth } from './truth.js';
import { inVirtualTime } from './virtual-time.js';

/** What is taken out of the product or put into it, to see that it is missed. */
export interface Mutation {
  readonly wrapGateway?: Wrap;
  readonly wrapProjector?: Wrap;
  readonly Submitting?: typeof Submitter;
}

/**
 * What the clients were told; how many copies of blobs went, from the store and then from a partition; of how many
 * stretches of the log the outcomes were forgotten.
 */
export interface Ran {
  readonly wishes: readonly Wish[];
  readonly deleted: number;
  readonly forgotten: number;
  readonly expired: number;
}

const clientCount = 3;
const wishesPerClient = 4;
const stepsMax = 30_000;
/** One to delete what is left, and until copies are forgotten two more fences. */
const lastCollections = 3;
/** A projector may still wait for an answer that hangs. */
const lastWaitMs = 60_000;

/**
 * One run: two gateways, two projectors, three clients and up to two collectors on one log, one graph and one blob
 * store; everything that can go wrong between them does, by one seed, until the clients are done; then nothing goes
 * wrong any more, and the laws are checked.
 */
export class Simulation {
  readonly #scheduler: Scheduler;
  readonly #stores: Stores;
  readonly #processes: Processes;
  readonly #clients: readonly Client[];
  readonly #trouble: Trouble;
  readonly #truth: Truth;

  private constructor(scheduler: Scheduler, mutation: Mutation) {
    const scenario = scenarioOf(scheduler);
    const { partitionCount, repositoryCount, collectorCount, wishTypes: types, faulty } = scenario;
    const log = new SimulatedLog(scheduler, partitionCount);
    const graph = new SimulatedGraph(scheduler, partitionCount);
    const blobs = new SimulatedBlobs(scheduler);
    const onBroken = (error: unknown) => (scheduler.broken ??= error);
    this.#scheduler = scheduler;
    [log.isFaulty, graph.isFaulty, blobs.isFaulty] = [faulty.log, faulty.graph, faulty.blobs];
    const { wrapGateway = untouched, wrapProjector = untouched, Submitting = Submitter } = mutation;
    graph.hangMsMax = scenario.hangMsMax;
    this.#stores = { scheduler, log, graph, blobs, hints: [], wrapGateway, wrapProjector, Submitting };
    this.#truth = new Truth({ log, blobs, wrapProjector, onBroken });
    for (let partition = 0; partition < partitionCount; partition += 1) log.store(partition, [firstRecord]);
    const repositories = creations.slice(0, repositoryCount);
    for (const { repo, bytes } of repositories) log.store(partitionOf(repo, partitionCount), [bytes]);
    const gateways = [new Gateway('gateway a', this.#stores), new Gateway('gateway b', this.#stores)] as const;
    this.#processes = {
      gateways,
      projectors: [
        new ProjectorProcess('projector a', this.#stores),
        new ProjectorProcess('projector b', this.#stores),
      ],
      collectors: ['collector a', 'collector b']
        .slice(0, collectorCount)
        .map((name) => new CollectorProcess(name, this.#stores)),
    };
    this.#trouble = new Trouble(this.#stores, this.#processes, scenario);
    const places = repositories.flatMap(({ repo }) => refs.map((ref) => ({ repo, ref })));
    this.#clients = Array.from(
      { length: clientCount },
      (_, i) => new Client(`client ${i}`, { scheduler, gateways, places, types }),
    );
  }

  /** @throws BrokenLaw, with the trace */
  static async run(seed: number, mutation: Mutation = {}): Promise<Ran> {
    const scheduler = new Scheduler(seed);
    try {
      return await inVirtualTime(scheduler, () => new Simulation(scheduler, mutation).#run());
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}\n${scheduler.trace.slice(-300).join('\n')}`, {
        cause: error,
      });
    }
  }

  async #run(): Promise<Ran> {
    await this.#wait(() => this.#isProjected());
    const wishing = Promise.all(this.#clients.map((client) => client.run(wishesPerClient)));
    let isDone = false;
    wishing.then(
      () => (isDone = true),
      (error: unknown) => (this.#scheduler.broken ??= error),
    );
    this.#trouble.begin(() => isDone);
    await this.#wait(() => isDone);
    await this.#heal();
    const wishes = this.#clients.flatMap((client) => client.wishes);
    const { gateways, collectors } = this.#processes;
    const healed = { ...this.#stores, truth: this.#truth, isCollected: collectors.length > 0, gateways, wishes };
    await checkLaws(healed, {
      awaited: (promise) => this.#awaited(promise),
      collect: () => this.#collect(),
    });
    this.#checkHalted();
    const { forgotten, expired } = this.#truth;
    return { wishes, deleted: this.#stores.blobs.deleted, forgotten, expired };
  }

  /** From here on nothing fails, and everything that was late arrives. */
  async #heal(): Promise<void> {
    const { log, graph, blobs } = this.#stores;
    const { gateways, projectors, collectors } = this.#processes;
    this.#scheduler.note('nothing goes wrong from here on');
    for (const store of [log, graph, blobs]) store.isFaulty = false;
    graph.hangMsMax = 0;
    this.#scheduler.isHasty = false;
    for (const collector of collectors) collector.end();
    for (const { actor } of [...gateways, ...projectors]) actor.state = 'awake';
    await this.#wait(() => log.late + blobs.late + this.#trouble.rebuilding === 0);
    await this.#awaited(this.#projected());
  }

  /** Until nothing is left to be collected. One projector will do, as nothing goes wrong. */
  async #collect(): Promise<void> {
    const { collectors, projectors } = this.#processes;
    if (collectors.length === 0) return;
    projectors[1].actor.state = 'frozen';
    for (let n = 0; n < lastCollections; n += 1)
      await this.#awaited(collectAs(newActor(`last collector ${n}`), this.#stores, lastWaitMs));
    await this.#awaited(this.#projected());
  }

  async #projected(): Promise<void> {
    while (!(await this.#everythingProjected())) await this.#scheduler.sleep(5);
  }

  async #everythingProjected(): Promise<boolean> {
    const { log, graph } = this.#stores;
    const checkpoints = await Promise.all(log.partitions.map((_, partition) => graph.store.checkpoint(partition)));
    return checkpoints.every(({ offset }, i) => offset === (log.partitions[i]?.length ?? 0) - 1);
  }

  #wasProjected = false;
  /** Looked at in the background, because asking takes a promise. */
  #isProjected(): boolean {
    void this.#everythingProjected().then((isSo) => (this.#wasProjected = isSo));
    return this.#wasProjected;
  }

  async #awaited<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settle = () => (isSettled = true);
    promise.then(settle, settle);
    await this.#wait(() => isSettled);
    return promise;
  }

  async #wait(isSo: () => boolean): Promise<void> {
    await this.#scheduler.runUntil(() => {
      this.#checkHalted();
      return isSo();
    }, stepsMax);
  }

  #checkHalted(): void {
    for (const { halted, actor } of this.#processes.projectors)
      law('I13', !halted, `${actor.name} halted: ${halted?.message}`);
  }
}

const untouched: Wrap = (stores) => stores;
