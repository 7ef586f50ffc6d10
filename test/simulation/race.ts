import { MemoryPartition } from '#adapters/memory/memory-partition';
import type { EncodedCommit } from '#core/commit';
import type { Event, LogRecord } from '#core/event';
import type { OutcomeRow } from '#core/graph-row';
import { branchRef, type RefName, tagRef } from '#core/name';
import type { RefUpdate, RefValue } from '#core/ref';
import { emptyStateDigest } from '#core/state-digest';
import type { Projected, ProjectionTarget } from '#projection/project';
import {
  absent,
  activation,
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
import { random } from './random.js';

/** What folds a batch into a graph: the product's `project`, or one with a rule taken out. */
export type Project = (
  target: ProjectionTarget,
  partition: number,
  from: Projected,
  records: readonly LogRecord[],
) => Promise<Projected | undefined>;

const refs: readonly RefName[] = [main, branchRef('dev'), tagRef('v1')];
const dag = makeDag();

/**
 * One partition, its proposers, two projectors and a store, with everything that can go wrong between them, all by one
 * seed: appends that are repeated, lost or come late, answers that are lost, retries that another gateway makes anew,
 * cancellations, projectors that race, a store that loses its tail.
 */
export class Race {
  readonly #pick: (below: number) => number;
  readonly #project: Project;
  readonly #log: LogRecord[] = [];
  /** Sent and not in the log yet. */
  readonly #late: Uint8Array[] = [];
  /** Every proposal that was made, by transaction: more than one when a gateway made it again. */
  readonly #proposed = new Map<string, Event[]>();
  /** What a client was told; nothing may ever contradict it. */
  readonly #told = new Map<string, OutcomeRow>();
  #store = new MemoryPartition();
  readonly #projectors: [Projected, Projected] = [start, start];
  #names = 0;

  constructor(seed: number, project: Project) {
    this.#pick = random(seed);
    this.#project = project;
    this.#append(recordBytes(activation));
    const create = repoCreate(txidOf('create'), { commits: dag, updates: [move(main, absent, dag[0]?.id ?? null)] });
    this.#proposed.set(txidOf('create'), [create]);
    this.#append(recordBytes(create));
  }

  /** @throws when a law is broken */
  async run(steps: number): Promise<void> {
    for (let step = 0; step < steps; step += 1) await this.#step();
    for (const bytes of this.#late) this.#append(bytes);
    for (let i = 0; i < 2; i += 1) while (await this.#advance(i, 7));
    this.#answer();
    await this.#checkLaws();
  }

  async #step(): Promise<void> {
    const action = this.#pick(20);
    if (action < 6) this.#send(this.#proposal());
    else if (action < 8) this.#retryElsewhere();
    else if (action < 9) this.#cancel();
    else if (action < 11) this.#deliverLate();
    else if (action < 12) await this.#loseTail();
    else if (action < 14) this.#answer();
    else await this.#advance(action % 2, 1 + this.#pick(5));
  }

  #append(bytes: Uint8Array): void {
    this.#log.push({ offset: this.#log.length, time: this.#pick(1_000), bytes });
  }

  /** Arrives, arrives twice, arrives late, or both; the sender cannot tell which. */
  #send(event: Event): void {
    const bytes = recordBytes(event);
    const fate = this.#pick(6);
    if (fate !== 0) this.#append(bytes);
    if (fate === 1) this.#append(bytes);
    if (fate <= 2) this.#late.push(bytes);
  }

  #proposal(txid = txidOf((this.#names += 1))): Event {
    const count = 1 + this.#pick(2);
    const first = this.#pick(refs.length);
    const updates = Array.from({ length: count }, (_, i) => this.#update(refs[(first + i) % refs.length] as RefName));
    const event = refUpdate(txid, updates);
    this.#proposed.set(txid, [...(this.#proposed.get(txid) ?? []), event]);
    return event;
  }

  #update(ref: RefName): RefUpdate {
    const to = this.#pick(8) === 0 ? null : (dag[this.#pick(dag.length)] as EncodedCommit).id;
    return move(ref, this.#seen(ref), to, this.#pick(3) === 0 ? 'ff' : 'force');
  }

  /** What a proposer reads from the store, however far behind that is. */
  #seen(ref: RefName): RefValue {
    return this.#store.ref(app, ref) ?? absent;
  }

  /** The client asks another gateway with the same idempotency key, which looks at the refs anew. */
  #retryElsewhere(): void {
    const txids = [...this.#proposed.keys()].filter((txid) => !this.#told.has(txid) && txid !== txidOf('create'));
    const txid = txids[this.#pick(txids.length)];
    if (txid !== undefined && !this.#store.outcome(txid)) this.#send(this.#proposal(txid));
  }

  #cancel(): void {
    const txids = [...this.#proposed.keys()];
    const target = txids[this.#pick(txids.length)] as string;
    const txid = txidOf(`cancel ${(this.#names += 1)}`);
    this.#send({
      type: 'tx.cancel.v1',
      txid,
      repo: app,
      actor: tester,
      request: null,
      gcEpoch: 0,
      target,
      targetEpoch: 0,
    });
  }

  #deliverLate(): void {
    const [bytes] = this.#late.splice(this.#pick(this.#late.length), 1);
    if (bytes) this.#append(bytes);
  }

  /** The store forgets its last batches, as after a failover; offset and rows go back together. */
  async #loseTail(): Promise<void> {
    const keep = this.#store.checkpoint.offset + 1 - this.#pick(8);
    const store = new MemoryPartition();
    if (keep > 0) await this.#project(targetOf(store), 0, start, this.#log.slice(0, keep));
    this.#store = store;
  }

  /** A projector takes the records after the last it knows of, and finds its way when it was wrong about it. */
  async #advance(projector: number, count: number): Promise<boolean> {
    const at = this.#projectors[projector] as Projected;
    const records = this.#log.slice(at.offset + 1, at.offset + 1 + count);
    if (records.length === 0) {
      this.#projectors[projector] = this.#store.checkpoint;
      return this.#store.checkpoint.offset + 1 < this.#log.length;
    }
    this.#projectors[projector] =
      (await this.#project(targetOf(this.#store), 0, at, records)) ?? this.#store.checkpoint;
    return true;
  }

  /** Tells clients what became of their transactions, as far as the store knows. */
  #answer(): void {
    for (const txid of this.#proposed.keys()) {
      const row = this.#store.outcome(txid);
      if (!row) continue;
      const told = this.#told.get(txid);
      law(!told || same(told, row), `transaction ${txid} was told ${show(told)} and now has ${show(row)}`);
      this.#told.set(txid, row);
    }
  }

  async #checkLaws(): Promise<void> {
    await this.#checkReplay();
    const reflog = this.#store.repositories.get(app)?.reflog ?? [];
    const values = new Map<RefName, RefValue>();
    const movedBy = new Map<string, RefName[]>();
    for (const { ref, from, to, version, txid } of reflog) {
      const before = values.get(ref) ?? absent;
      law(
        from === before.commit,
        `the reflog of ${ref} goes from ${from} at version ${version}, and it was ${show(before)}`,
      );
      law(version > before.version, `${ref} went from version ${before.version} to ${version}`);
      const wishes = (this.#proposed.get(txid) ?? []).flatMap((event) => ('updates' in event ? event.updates : []));
      const wished = wishes.some((wish) => wish.ref === ref && wish.to === to && same(wish.expect, before));
      law(wished, `${txid} moved ${ref} from ${show(before)}, which it never expected`);
      values.set(ref, { commit: to, version });
      movedBy.set(txid, [...(movedBy.get(txid) ?? []), ref]);
    }
    for (const ref of refs)
      law(same(this.#seen(ref), values.get(ref) ?? absent), `${ref} is not where its reflog ends`);
    this.#checkOutcomes(movedBy);
  }

  #checkOutcomes(movedBy: ReadonlyMap<string, readonly RefName[]>): void {
    for (const [txid, events] of this.#proposed) {
      const outcome = this.#store.outcome(txid)?.outcome;
      const moved = movedBy.get(txid) ?? [];
      law(new Set(moved).size === moved.length, `transaction ${txid} took effect twice`);
      if (outcome?.type !== 'accepted') {
        law(moved.length === 0, `transaction ${txid} is ${outcome?.code ?? 'unknown'} and took effect`);
        continue;
      }
      law(
        events.length > 0 &&
          same(
            outcome.moves.map(({ ref }) => ref),
            moved,
          ),
        `transaction ${txid} did not do what it was told`,
      );
    }
  }

  /** Record by record, from nothing, by the product's own fold or the mutant in question. */
  async #checkReplay(): Promise<void> {
    const replayed = new MemoryPartition();
    let at = start;
    for (const record of this.#log) at = (await this.#project(targetOf(replayed), 0, at, [record])) ?? at;
    law(
      same(replayed.checkpoint, this.#store.checkpoint),
      `a replay gives another state: ${show(replayed.checkpoint)}`,
    );
  }
}

const start: Projected = { offset: -1, recordDigest: '', stateDigest: emptyStateDigest };

class BrokenLaw extends Error {}

function law(holds: boolean, otherwise: string): void {
  if (!holds) throw new BrokenLaw(otherwise);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function show(value: unknown): string {
  return JSON.stringify(value);
}

function targetOf(partition: MemoryPartition): ProjectionTarget {
  return {
    partitionCount: 1,
    checkpoint: async () => partition.checkpoint,
    facts: async () => partition,
    apply: async (_partition, batch) => partition.apply(batch),
  };
}

/** A small one with branches and merges, the same in every run. */
function makeDag(): EncodedCommit[] {
  const pick = random(1);
  const commits: EncodedCommit[] = [];
  for (let n = 0; n < 8; n += 1) {
    const parents =
      n === 0 ? [] : [...new Set([n - 1, pick(n)])].slice(0, 1 + pick(2)).map((i) => commits[i] as EncodedCommit);
    commits.push(commitOn(parents, `commit ${n}`));
  }
  return commits;
}
