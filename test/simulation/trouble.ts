import { isVarveError } from '#core/error';
import { rebuild } from '#projection/rebuild';
import type { Actor } from './scheduler.js';
import { type Gateway, newActor, type ProjectorProcess, type Stores } from './simulated-cluster.js';
import type { CollectorProcess } from './simulated-collector.js';

export interface Processes {
  readonly gateways: readonly [Gateway, Gateway];
  readonly projectors: readonly [ProjectorProcess, ProjectorProcess];
  /** None, one or two. */
  readonly collectors: readonly CollectorProcess[];
}

const everyMsMax = 200;
const frozenMsMax = 1_500;

/** What happens to processes and stores, every now and then. */
export class Trouble {
  /** Rebuilds that go on. */
  rebuilding = 0;
  readonly #stores: Stores;
  readonly #processes: Processes;

  constructor(stores: Stores, processes: Processes) {
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
    const kind = pick(collectors.length > 0 ? 9 : 7);
    if (kind === 0) gateway.die();
    if (kind === 1) projector.die();
    if (kind === 2 || kind === 3) this.#freeze(kind === 2 ? projector.actor : gateway.actor);
    if (kind === 4) void this.#stores.graph.rollBack();
    if (kind === 5 && this.rebuilding === 0) this.#rebuild();
    if (kind === 7) collector?.die();
    if (kind === 8 && collector) this.#freeze(collector.actor);
  }

  #freeze(actor: Actor): void {
    const { scheduler } = this.#stores;
    scheduler.note(`${actor.name} freezes`);
    actor.state = 'frozen';
    scheduler.after(scheduler.pick(frozenMsMax), () => {
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
