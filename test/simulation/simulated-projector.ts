import type { VarveError } from '#core/error';
import { Projector } from '#projection/follow';
import type { Actor } from './scheduler.js';
import { newActor, type Stores } from './simulated-cluster.js';

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
