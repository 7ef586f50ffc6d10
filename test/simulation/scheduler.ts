import { random } from './random.js';

/** Whoever takes part. A frozen one goes on later, a dead one never. */
export interface Actor {
  readonly name: string;
  state: 'awake' | 'frozen' | 'dead';
}

interface Turn {
  readonly actor: Actor;
  readonly label: string;
  readonly go: () => void;
}
interface Timer {
  readonly id: number;
  readonly at: number;
  readonly go: () => void;
}

const traceLinesMax = 400;

/** Time and order, all by one seed: every call of a port is a turn, and nothing happens but by turns and timers. */
export class Scheduler {
  /** Virtual milliseconds. */
  now = 0;
  /** How many turns and timers there were: the instants of a history. */
  steps = 0;
  /** Whether time may pass while somebody could go on, so that slow calls are overtaken. */
  isHasty = true;
  readonly pick: (below: number) => number;
  readonly trace: string[] = [];
  /** What went wrong where nobody would tell of it: ends the run. */
  broken: unknown;
  readonly #turns: Turn[] = [];
  readonly #timers = new Map<number, Timer>();
  #ids = 0;

  constructor(seed: number) {
    this.pick = random(seed);
  }

  /** Once in `n`. */
  chance(n: number): boolean {
    return this.pick(n) === 0;
  }

  turn(actor: Actor, label: string): Promise<void> {
    return new Promise((go) => void this.#turns.push({ actor, label, go }));
  }

  /** Runs at a later instant. Answers its id. */
  after(ms: number, go: () => void): number {
    const id = (this.#ids += 1);
    this.#timers.set(id, { id, at: this.now + Math.max(0, ms), go });
    return id;
  }

  cancel(id: number): void {
    this.#timers.delete(id);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  note(line: string): void {
    this.trace.push(`${this.steps} ${this.now} ms: ${line}`);
    if (this.trace.length > 2 * traceLinesMax) this.trace.splice(0, traceLinesMax);
  }

  /** Steps until it is so. @throws when it is not so after `stepsMax` */
  async runUntil(isSo: () => boolean, stepsMax: number): Promise<void> {
    await settled();
    for (let left = stepsMax; !isSo(); left -= 1) {
      if (left === 0) throw new Error(`not so after ${stepsMax} steps: ${String(isSo)}`);
      this.#step();
      await settled();
      if (this.broken) throw this.broken;
    }
  }

  #step(): void {
    this.steps += 1;
    const awake = this.#turns.filter(({ actor }) => actor.state === 'awake');
    const turn = awake[this.pick(awake.length)];
    if (turn && !(this.isHasty && this.#timers.size > 0 && this.chance(10))) {
      this.#turns.splice(this.#turns.indexOf(turn), 1);
      this.note(`${turn.actor.name} ${turn.label}`);
      return turn.go();
    }
    let next: Timer | undefined;
    for (const timer of this.#timers.values()) if (!next || timer.at < next.at) next = timer;
    if (!next) throw new Error('everybody waits for ever');
    this.#timers.delete(next.id);
    this.now = Math.max(this.now, next.at);
    next.go();
  }
}

/** Named once: in Jest's sandbox a look-up of a global takes long. */
const { nextTick } = process;

/** When every promise that can go on has done so: ticks run only when no microtask is left. */
function settled(): Promise<void> {
  return new Promise((resolve) => void Promise.resolve().then(() => nextTick(resolve)));
}
