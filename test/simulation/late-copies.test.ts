import { genesis } from '#core/commit';
import type { Event } from '#core/event';
import { keptStretches } from '#core/graph-row';
import { branchRef, type RefName } from '#core/name';
import type { RefUpdate, RefValue } from '#core/ref';
import {
  absent,
  app,
  commitOn,
  main,
  move,
  recordBytes,
  refUpdate,
  repoCreate,
  tester,
  txidOf,
} from '../fixture/event-builder.js';
import { FoldedWorld } from '../fixture/folded-world.js';
import { random } from './random.js';

const refs: readonly RefName[] = [main, branchRef('dev')];
const commits = [genesis, commitOn([genesis], 'one'), commitOn([genesis], 'two')];

/** What a writer sees of the graph at one instant; it may send what it makes of it much later. */
interface View {
  readonly gcEpoch: number;
  readonly refs: ReadonlyMap<RefName, RefValue>;
  readonly outcomes: ReadonlySet<string>;
  /** The first stretch of the log whose outcomes were kept. */
  readonly oldest: number;
}

/** A transaction: how often it took effect, and how often it was begun because the one before was forgotten. */
interface Begun {
  effects: number;
  times: number;
  /** Of the last proposal that was made of it. */
  gcEpoch: number;
}

/**
 * Writers, retries that another gateway makes anew from whatever it sees, cancellations and collections in any order,
 * and copies of any record at any later place.
 */
class LateCopies {
  readonly #pick: (below: number) => number;
  readonly #records: Uint8Array[] = [];
  readonly #begun = new Map<string, Begun>();
  readonly #world: FoldedWorld;
  #views: View[] = [];
  #names = 0;
  #time = 1_000;
  copies = 0;
  forgotten = 0;

  constructor(seed: number, world: FoldedWorld) {
    this.#pick = random(seed);
    this.#world = world;
  }

  run(steps: number): void {
    this.#see(repoCreate(txidOf('create'), { commits, updates: [move(main, absent, genesis.id)] }));
    for (let step = 0; step < steps; step += 1) {
      const action = this.#pick(10);
      if (action < 3) this.#see(this.#proposal(txidOf((this.#names += 1)), this.#view()));
      else if (action < 5) this.#retry();
      else if (action < 6) this.#see(this.#cancel());
      else if (action < 7) this.#see(this.#fence());
      else this.#copy();
    }
    for (const [txid, { effects, times }] of this.#begun) {
      if (effects > times) throw new Error(`${txid} took effect ${effects} times, and was begun ${times} times`);
    }
  }

  /** Never has an effect, nor an outcome. */
  #copy(): void {
    const bytes = this.#records[this.#pick(this.#records.length)] as Uint8Array;
    const decision = this.#world.judge(bytes, this.#time);
    if (decision.type === 'halted') throw new Error('halted');
    const did = decision.changes.filter(({ type }) => type !== 'partition');
    if (did.length > 0 || decision.outcome) throw new Error(`a copy did ${JSON.stringify(did)}`);
    this.copies += 1;
    this.#world.see(bytes, this.#time);
  }

  #see(event: Event): void {
    const bytes = recordBytes(event);
    this.#records.push(bytes);
    const row = this.#world.see(bytes, this.#time);
    if (event.type === 'tx.cancel.v1') this.#checkCancelled(event.target);
    const begun = this.#begun.get(event.txid);
    if (begun && row?.outcome.type === 'accepted') begun.effects += 1;
    this.#remember();
  }

  /** Nobody is told that something was cancelled which took effect. */
  #checkCancelled(target: string): void {
    const begun = this.#begun.get(target);
    const outcome = this.#world.facts.outcome(target)?.outcome;
    if (outcome?.type !== 'rejected' || outcome.code !== 'TRANSACTION_CANCELLED' || !begun) return;
    if (begun.effects >= begun.times) throw new Error(`${target} took effect ${begun.effects} times and was cancelled`);
  }

  #remember(): void {
    const { facts } = this.#world;
    const { gcEpoch } = facts.partition();
    const { first: oldest } = keptStretches(facts.partition());
    const values = refs.map((ref) => [ref, facts.ref(app, ref) ?? absent] as const);
    const known = [...this.#begun.keys()].filter((txid) => {
      const row = facts.outcome(txid);
      return row && row.stretch >= oldest;
    });
    this.#views = [...this.#views.slice(-200), { gcEpoch, refs: new Map(values), outcomes: new Set(known), oldest }];
  }

  /** The graph as it is, or as some gateway saw it long ago. */
  #view(): View {
    const back = this.#pick(3) === 0 ? this.#pick(this.#views.length) : 0;
    return this.#views.at(-1 - back) as View;
  }

  /** Who finds no outcome under its key makes a proposal; after it was forgotten that is a new one. */
  #retry(): void {
    const txids = [...this.#begun.keys()];
    const txid = txids[this.#pick(txids.length)];
    const view = this.#view();
    if (txid !== undefined && !view.outcomes.has(txid)) this.#see(this.#proposal(txid, view));
  }

  #proposal(txid: string, view: View): Event {
    const begun = this.#begun.get(txid) ?? { effects: 0, times: 1, gcEpoch: view.gcEpoch };
    begun.gcEpoch = view.gcEpoch;
    const known = this.#world.facts.outcome(txid);
    // Seen at an instant at which the outcome was forgotten.
    if (known && view.oldest > known.stretch) {
      begun.times += 1;
      this.forgotten += 1;
    }
    this.#begun.set(txid, begun);
    const ref = refs[this.#pick(refs.length)] as RefName;
    const to = this.#pick(6) === 0 ? null : (commits[this.#pick(commits.length)] as (typeof commits)[number]).id;
    const update: RefUpdate = move(ref, view.refs.get(ref) as RefValue, to, 'force');
    return refUpdate(txid, [update], { gcEpoch: view.gcEpoch });
  }

  #cancel(): Event {
    const txids = [...this.#begun.keys(), txidOf('nobody')];
    const target = txids[this.#pick(txids.length)] as string;
    const { gcEpoch } = this.#view();
    const txid = txidOf(`cancel ${(this.#names += 1)}`);
    const targetEpoch = this.#begun.get(target)?.gcEpoch ?? 0;
    return { type: 'tx.cancel.v1', txid, repo: app, actor: tester, request: null, gcEpoch, target, targetEpoch };
  }

  #fence(): Event {
    // An hour after the last one, or days.
    this.#time += this.#pick(3) === 0 ? 3_600_000 : this.#pick(3) * 86_400_000;
    const { gcEpoch } = this.#view();
    const n = (this.#names += 1);
    return { type: 'gc.fence.v1', txid: txidOf(`fence ${n}`), gcId: `g${n}`, gcEpoch, blobs: [] };
  }
}

it('late copies of any record, at any later place, do nothing; a transaction takes effect once', async () => {
  let [copies, forgotten] = [0, 0];
  for (let seed = 0; seed < 150; seed += 1) {
    const late = new LateCopies(seed, await FoldedWorld.given());
    try {
      late.run(150);
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
    }
    copies += late.copies;
    forgotten += late.forgotten;
  }
  // It was tried.
  expect(copies).toBeGreaterThan(5_000);
  expect(forgotten).toBeGreaterThan(500);
});
