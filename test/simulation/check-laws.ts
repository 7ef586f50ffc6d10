import { decodeCommit } from '#core/commit';
import { isVarveError } from '#core/error';
import type { OutcomeRow, ReflogRow } from '#core/graph-row';
import { absent, main } from '../fixture/event-builder.js';
import { rowsOf } from '../fixture/graph-rows.js';
import type { RefValue } from '#core/ref';
import type { GraphStore } from '#ports/graph-store';
import { law, same, show } from './law.js';
import { isLinearizable, type RefOperationSeen } from './linearizability.js';
import { initialMain, tester } from './simulated-content.js';
import type { Wish } from './wish.js';
import type { Gateway, Stores } from './simulated-cluster.js';
import type { Truth } from './truth.js';

interface Healed extends Stores {
  readonly truth: Truth;
  /** Collectors were at work, and have collected what was left. */
  readonly isCollected: boolean;
  readonly gateways: readonly [Gateway, Gateway];
  readonly wishes: readonly Wish[];
}
interface Doing {
  /** Lets the simulation go on until then. */
  readonly awaited: <T>(promise: Promise<T>) => Promise<T>;
  /** Collects whatever is left. */
  readonly collect: () => Promise<void>;
}

/** Everything that must hold when everything was told and projected. @throws BrokenLaw */
export async function checkLaws(healed: Healed, { awaited, collect }: Doing): Promise<void> {
  await endUnknown(healed, awaited);
  await collect();
  await checkReplay(healed);
  await checkBlobs(healed);
  await checkWishes(healed);
  await checkClosure(healed);
  await checkHistories(healed);
}

/** I5: whoever asks, and however often, is told the same; also that it is too old to be told of. */
async function endUnknown({ gateways, wishes }: Healed, awaited: Doing['awaited']): Promise<void> {
  for (const { repo, name: wish, answer } of wishes) {
    if (answer.type !== 'unknown' || answer.txid === null) continue;
    const context = { actor: tester, reason: '', idempotencyKey: null, request: null };
    const name = { repo, txid: answer.txid, gcEpoch: answer.gcEpoch };
    const [first, second] = gateways.map((gateway) => gateway.end(name, context).catch(expired)) as [Ended, Ended];
    const rows = [await awaited(first), await awaited(second)];
    law('I5', same(rows[0], rows[1]), `${wish} ended as ${show(rows[0])} and as ${show(rows[1])}`);
  }
}

type Ended = Promise<OutcomeRow | null>;

function expired(error: unknown): null {
  if (isVarveError(error, 'OUTCOME_EXPIRED')) return null;
  throw error;
}

/** I1: record by record, from nothing, every row is what the graph has. */
async function checkReplay({ log, graph, truth, wishes, scheduler }: Healed): Promise<void> {
  const replayed = truth.graph;
  for (let partition = 0; partition < log.partitionCount; partition += 1) {
    const [live, told] = [await graph.store.checkpoint(partition), await replayed.checkpoint(partition)];
    law('I1', same(live, told), `partition ${partition} is ${show(live)}, a replay gives ${show(told)}`);
  }
  for (const repo of new Set(wishes.map((wish) => wish.repo))) {
    const [live, again] = await Promise.all([rowsOf(graph.store, repo), rowsOf(replayed, repo)]);
    law('I1', same(live, again), `${repo} has other rows than a replay gives`);
  }
  scheduler.note('a replay gives the same');
}

/** I11: what is stored is named, and what is retired is stored; I7: whatever is named was checked when it was. */
async function checkBlobs({ blobs, truth, log, isCollected }: Healed): Promise<void> {
  if (!isCollected) return;
  for (const copy of blobs.copies)
    law('I11', truth.isNamed(copy), `nothing names ${show(copy)}, and it is still stored`);
  for (let partition = 0; partition < log.partitionCount; partition += 1) {
    for (const row of await truth.graph.retiredCopies(partition, { limit: 1_000 })) {
      law('I11', blobs.holds(row), `partition ${partition} still remembers ${show(row)}, which is not stored`);
    }
  }
}

/** I3, I4, I6: what was told, and what was done. */
async function checkWishes({ graph, wishes }: Healed): Promise<void> {
  const moves = await reflogOf(graph.store, wishes);
  for (const wish of wishes) {
    const { name, ref, answer } = wish;
    const done = moves.filter(({ reason, repo }) => reason === name && repo === wish.repo);
    law('I6', done.length <= 1, `${name} took effect ${done.length} times: ${show(done)}`);
    checkExpected(wish, done, moves);
    if (answer.type === 'refused')
      law('I4', done.length === 0, `${name} was told ${answer.error.message}, and did ${show(done)}`);
    if (answer.type !== 'ok' || answer.value === null || wish.type === 'read') continue;
    const [move] = done;
    const isKept =
      move?.ref === ref &&
      move.offset === answer.position.offset &&
      same({ commit: move.to, version: move.version }, answer.value);
    law('I3', isKept, `${name} was told ${show(answer)}, and the reflog has ${show(done)}`);
  }
  for (const row of moves) {
    const isHeld = row.to === null || (await graph.store.commit(row.repo, row.to));
    law('I7', Boolean(isHeld), `${row.ref} is at ${row.to}, which is not there`);
  }
}

/** I2: a move that had an expectation was made from exactly that value, whoever was told of it. */
function checkExpected({ name, expect }: Wish, [row]: readonly ReflogRow[], moves: readonly ReflogRow[]): void {
  if (!row || !expect) return;
  const before = moves.find(({ repo, ref, version }) => repo === row.repo && ref === row.ref && version < row.version);
  const value = before ? { commit: before.to, version: before.version } : absent;
  law('I2', same(value, expect), `${name} moved ${row.ref} from ${show(value)} and expected ${show(expect)}`);
}

async function reflogOf(graph: GraphStore, wishes: readonly Wish[]): Promise<ReflogRow[]> {
  const repos = [...new Set(wishes.map(({ repo }) => repo))];
  return (await Promise.all(repos.map((repo) => graph.reflog(repo, { limit: 1_000 })))).flat();
}

/** I7: parents are there, before their children, and bytes are what their ids say. */
async function checkClosure({ graph: { store }, wishes }: Healed): Promise<void> {
  for (const repo of new Set(wishes.map((wish) => wish.repo))) {
    for (const { id, seq, parents } of await store.commits(repo, { limit: 1_000 })) {
      const bytes = await store.commitBytes(repo, id);
      law('I7', bytes !== undefined && decodeCommit(bytes).id === id, `the bytes of ${id} are not its own`);
      const found = await Promise.all(parents.map((parent) => store.commitAt(repo, parent)));
      law(
        'I7',
        found.every((parent) => parent && parent.seq < seq),
        `${id} has a parent that is not there`,
      );
    }
  }
}

/** I2: one register for each ref. */
async function checkHistories({ graph, wishes }: Healed): Promise<void> {
  const moves = await reflogOf(graph.store, wishes);
  for (const place of new Set(wishes.map(({ repo, ref }) => `${repo} ${ref}`))) {
    const history = wishes.filter(({ repo, ref }) => `${repo} ${ref}` === place).flatMap((wish) => seenOf(wish, moves));
    const initial = place.endsWith(main) ? initialMain : absent;
    law('I2', isLinearizable(history, initial), `${place} is no register: ${show(history)}`);
  }
}

/** What the client saw of a register. A refusal for another reason than the value says nothing of it. */
function seenOf(
  { name, type, isCurrent, expect, to, invoked, returned, answer }: Wish,
  moves: readonly ReflogRow[],
): RefOperationSeen[] {
  const span = { invoked, returned };
  if (type === 'read') {
    if (answer.type !== 'ok' || answer.value === null || !isCurrent) return [];
    return [{ ...span, call: { type: 'read' }, answer: { type: 'ok', value: answer.value } }];
  }
  if (answer.type === 'ok') {
    // Nothing had to change: true at the position of the answer, which a graph that went back puts before its end.
    if (answer.value === null) return [];
    const aim = answer.value.commit;
    return [{ ...span, call: callOf(expect, aim), answer: { type: 'ok', value: answer.value } }];
  }
  if (answer.type === 'refused') {
    if (answer.error.code !== 'REF_STALE' || !expect) return [];
    return [{ ...span, call: callOf(expect, to), answer: { type: 'stale' } }];
  }
  // The id of a commit that nobody was told of is in the reflog, if anywhere.
  const aim = type === 'move' ? to : moves.find(({ reason }) => reason === name)?.to;
  return aim === undefined ? [] : [{ ...span, call: callOf(expect, aim), answer: { type: 'unknown' } }];
}

function callOf(expect: RefValue | undefined, to: RefValue['commit']): RefOperationSeen['call'] {
  return expect ? { type: 'swap', expect, to } : { type: 'set', to };
}
