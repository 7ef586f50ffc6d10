import { isVarveError } from '#core/error';
import { rebuild } from '#projection/rebuild';
import type { Scenario } from './scenario.js';
import type { Actor } from './scheduler.js';
import { type Gateway, newActor, type Stores } from './simulated-cluster.js';
import type { CollectorProcess } from './simulated-collector.js';
import type { ProjectorProcess } from './simulated-projector.js';

export interface Processes {
  readonly gateways: readonly [Gateway, Gateway];
  readonly projectors: readonly [ProjectorProcess, ProjectorProcess];
  /** None, one or two. */
  readonly collectors: readonly CollectorProcess[];
}

const everyMsMax = 200;
const othersFrozenMsMax = 1_000;

/** What happens to processes and stores, every now and then. */
export class Trouble {
  /** Rebuilds that go on. */
  rebuilding = 0;
  readonly #stores: Stores;
  readonly #processes: Processes;
  readonly #scenario: Scenario;

  constructor(stores: Stores, processes: Processes, scenario: Scenario) {
    this.#scenario = scenario;
    this.#stores = stores;
    this.#processes = processes;
  }

  begin(isOver: () => boolean): void {
    const { scheduler } = this.#stores;
    scheduler.after(scheduler.pick(everyMsMax), () => {
      if (isOver()) return;
      this.#happen();
      this.begin(isOver);
    });
  }

  #happen(): void {
    const { pick } = this.#stores.scheduler;
    const { gateways, projectors, collectors } = this.#processes;
    const gateway = gateways[pick(2)] as Gateway;
    const projector = projectors[pick(2)] as ProjectorProcess;
    const collector = collectors[pick(2)];
    const kind = this.#scenario.troubles[pick(this.#scenario.troubles.length)];
    if (kind === 'gateway dies') gateway.die();
    if (kind === 'projector dies') projector.die();
    if (kind === 'collector dies') collector?.die();
    if (kind === 'gateway freezes') this.#freeze(gateway.actor, this.#scenario.frozenMsMax);
    if (kind === 'projector freezes') this.#freeze(projector.actor, othersFrozenMsMax);
    if (kind === 'collector freezes' && collector) this.#freeze(collector.actor, othersFrozenMsMax);
    if (kind === 'graph goes back') void this.#stores.graph.rollBack();
    if (kind === 'graph is rebuilt' && this.rebuilding === 0) this.#rebuild();
  }

  #freeze(actor: Actor, msMax: number): void {
    const { scheduler } = this.#stores;
    scheduler.note(`${actor.name} freezes`);
    actor.state = 'frozen';
    scheduler.after(scheduler.pick(msMax), () => {
      if (actor.state === 'frozen') actor.state = 'awake';
    });
  }

  #rebuild(): void {
    const { scheduler, log, graph, wrapProjector } = this.#stores;
    scheduler.note('the graph is rebuilt');
    this.rebuilding += 1;
    const actor = newActor('rebuild');
    rebuild(wrapProjector({ log: log.portOf(actor), graph: graph.portOf(actor) }))
      .catch((error: unknown) => {
        if (!isVarveError(error, 'UNAVAILABLE')) scheduler.broken ??= error;
      })
      .finally(() => (this.rebuilding -= 1));
  }
}
