import { partitionOf } from '#core/partition';
import { isVarveError } from '#core/error';
import { rebuild } from '#projection/rebuild';
import { checkLaws } from './check-laws.js';
import { law } from './law.js';
import { Scheduler } from './scheduler.js';
import { Client, type Wish } from './simulated-client.js';
import { Gateway, newActor, ProjectorProcess, type Stores, type Wrap } from './simulated-cluster.js';
import { creations, firstRecord, refs } from './simulated-content.js';
import { SimulatedGraph } from './simulated-graph.js';
import { SimulatedLog } from './simulated-log.js';
import { inVirtualTime } from './virtual-time.js';

/** What is taken out of the product or put into it, to see that it is missed. */
export interface Mutation {
  readonly wrapGateway?: Wrap;
  readonly wrapProjector?: Wrap;
}

const clientCount = 3;
const wishesPerClient = 4;
const stepsMax = 30_000;

/**
 * One run: two gateways, two projectors, three clients on one log and one graph; everything that can go wrong between
 * them does, by one seed, until the clients are done; then nothing goes wrong any more, and the laws are checked.
 */
export class Simulation {
  readonly #scheduler: Scheduler;
  readonly #log: SimulatedLog;
  readonly #graph: SimulatedGraph;
  readonly #gateways: readonly [Gateway, Gateway];
  readonly #projectors: readonly [ProjectorProcess, ProjectorProcess];
  readonly #clients: readonly Client[];
  readonly #stores: Stores;
  #rebuilding = 0;

  private constructor(scheduler: Scheduler, { wrapGateway = untouched, wrapProjector = untouched }: Mutation) {
    this.#scheduler = scheduler;
    const partitionCount = 1 + scheduler.pick(2);
    this.#log = new SimulatedLog(scheduler, partitionCount);
    for (let partition = 0; partition < partitionCount; partition += 1) this.#log.store(partition, [firstRecord]);
    const repositories = creations.slice(0, 1 + scheduler.pick(2));
    for (const { repo, bytes } of repositories) this.#log.store(partitionOf(repo, partitionCount), [bytes]);
    this.#graph = new SimulatedGraph(scheduler, partitionCount);
    this.#stores = { scheduler, log: this.#log, graph: this.#graph, wrapGateway, wrapProjector };
    this.#gateways = [new Gateway('gateway a', this.#stores), new Gateway('gateway b', this.#stores)];
    this.#projectors = [
      new ProjectorProcess('projector a', this.#stores),
      new ProjectorProcess('projector b', this.#stores),
    ];
    const places = repositories.flatMap(({ repo }) => refs.map((ref) => ({ repo, ref })));
    this.#clients = Array.from(
      { length: clientCount },
      (_, i) => new Client(`client ${i}`, scheduler, this.#gateways, places),
    );
  }

  /** What the clients were told. @throws BrokenLaw, with the trace */
  static async run(seed: number, mutation: Mutation = {}): Promise<readonly Wish[]> {
    const scheduler = new Scheduler(seed);
    try {
      return await inVirtualTime(scheduler, () => new Simulation(scheduler, mutation).#run());
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}\n${scheduler.trace.slice(-300).join('\n')}`, {
        cause: error,
      });
    }
  }

  async #run(): Promise<readonly Wish[]> {
    await this.#wait(() => this.#isProjected());
    const wishing = Promise.all(this.#clients.map((client) => client.run(wishesPerClient)));
    let isDone = false;
    wishing.then(
      () => (isDone = true),
      (error: unknown) => (this.#scheduler.broken ??= error),
    );
    this.#scheduler.after(this.#scheduler.pick(50), () => this.#trouble(() => isDone));
    await this.#wait(() => isDone);
    await this.#heal();
    const wishes = this.#clients.flatMap((client) => client.wishes);
    await checkLaws({ ...this.#stores, gateways: this.#gateways, wishes }, (promise) => this.#awaited(promise));
    this.#checkHalted();
    return wishes;
  }

  /** What happens to processes and stores, every now and then. */
  #trouble(isOver: () => boolean): void {
    if (isOver()) return;
    const { pick, after } = this.#scheduler;
    const which = pick(2);
    const gateway = this.#gateways[which] as Gateway;
    const projector = this.#projectors[which] as ProjectorProcess;
    const kind = pick(7);
    if (kind === 0) gateway.die();
    if (kind === 1) projector.die();
    if (kind === 2 || kind === 3) this.#freeze(kind === 2 ? projector.actor : gateway.actor);
    if (kind === 4) void this.#graph.rollBack();
    if (kind === 5 && this.#rebuilding === 0) this.#rebuild();
    after.call(this.#scheduler, pick(200), () => this.#trouble(isOver));
  }

  #freeze(actor: Gateway['actor']): void {
    this.#scheduler.note(`${actor.name} freezes`);
    actor.state = 'frozen';
    this.#scheduler.after(this.#scheduler.pick(1_500), () => {
      if (actor.state === 'frozen') actor.state = 'awake';
    });
  }

  #rebuild(): void {
    this.#scheduler.note('the graph is rebuilt');
    this.#rebuilding += 1;
    const actor = newActor('rebuild');
    const ports = this.#stores.wrapProjector({ log: this.#log.portOf(actor), graph: this.#graph.portOf(actor) });
    rebuild(ports)
      .catch((error: unknown) => {
        if (!isVarveError(error, 'UNAVAILABLE')) this.#scheduler.broken ??= error;
      })
      .finally(() => (this.#rebuilding -= 1));
  }

  /** From here on nothing fails, and everything that was late arrives. */
  async #heal(): Promise<void> {
    this.#scheduler.note('nothing goes wrong from here on');
    this.#log.isFaulty = false;
    this.#graph.isFaulty = false;
    this.#scheduler.isHasty = false;
    for (const { actor } of [...this.#gateways, ...this.#projectors]) actor.state = 'awake';
    await this.#wait(() => this.#log.late === 0 && this.#rebuilding === 0);
    let isProjected = false;
    const look = async () => {
      while (!isProjected) {
        isProjected = await this.#everythingProjected();
        await this.#scheduler.sleep(5);
      }
    };
    await this.#awaited(look());
  }

  async #everythingProjected(): Promise<boolean> {
    const { store } = this.#graph;
    const checkpoints = await Promise.all(this.#log.partitions.map((_, partition) => store.checkpoint(partition)));
    return checkpoints.every(({ offset }, i) => offset === (this.#log.partitions[i]?.length ?? 0) - 1);
  }

  #projected = false;
  /** Looked at in the background, because asking takes a promise. */
  #isProjected(): boolean {
    void this.#everythingProjected().then((isSo) => (this.#projected = isSo));
    return this.#projected;
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
    for (const { halted, actor } of this.#projectors) law('I13', !halted, `${actor.name} halted: ${halted?.message}`);
  }
}

const untouched: Wrap = (stores) => stores;
