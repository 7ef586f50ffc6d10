import { isDeepStrictEqual } from 'node:util';
import { isVarveError, unreachable, VarveError } from '#core/error';
import type { LogRecord } from '#core/event';
import { decodeEvent } from '#core/event-codec';
import { type Change, keptStretches, type OutcomeRow } from '#core/graph-row';
import { limit } from '#core/limit';
import type { EventLog } from '#ports/event-log';
import type { GraphGeneration, GraphStore, StoredFacts } from '#ports/graph-store';
import { checkNoGap, missingRecord } from './continue-log.js';
import { project, type Projected } from './project.js';

interface Stores {
  readonly log: EventLog;
  readonly graph: GraphStore;
}

/** How the comparison goes on. A difference is a row of the live graph that is not what the log says. */
export type GraphComparison =
  | { readonly type: 'replayed'; readonly records: number }
  | {
      readonly type: 'difference';
      readonly partition: number;
      /** The record up to which both were compared. */
      readonly offset: number;
      readonly row: string;
      readonly replayed: unknown;
      readonly live: unknown;
    };

/** How often the live graph may go on in the instant before the rows that are in doubt are judged. */
const roundsMax = 1_000;

/**
 * Replays the log into a graph that is thrown away again, and compares every row it makes with the live one, which
 * goes on being written: a digest kept beside the rows cannot tell that a row was changed behind its back.
 * @throws LOG_TRUNCATED when the log has a gap; UNSUPPORTED when it follows rules that this code does not have
 */
export async function* compareGraph({ log, graph }: Stores): AsyncGenerator<GraphComparison> {
  const generation = await graph.beginGeneration();
  try {
    for (let partition = 0; partition < log.partitionCount; partition += 1) {
      yield* new PartitionComparison({ log, graph }, generation, partition).run();
    }
  } finally {
    await generation.discard();
  }
}

/** A row that is not what the replay said of it then: later records may have changed it, the live graph is ahead. */
interface Doubt {
  readonly first: number;
  readonly last: number;
  readonly change: Change;
}

class PartitionComparison {
  readonly #log: EventLog;
  readonly #graph: GraphStore;
  readonly #generation: GraphGeneration;
  readonly #partition: number;
  readonly #doubts = new Map<string, Doubt>();

  constructor({ log, graph }: Stores, generation: GraphGeneration, partition: number) {
    this.#log = log;
    this.#graph = graph;
    this.#generation = generation;
    this.#partition = partition;
  }

  async *run(): AsyncGenerator<GraphComparison> {
    let at: Projected = await this.#generation.checkpoint(this.#partition);
    for (let round = 0; round < roundsMax; round += 1) {
      const live = await this.#graph.checkpoint(this.#partition);
      at = yield* this.#replayTo(at, live.offset);
      const replayed = await this.#generation.checkpoint(this.#partition);
      for (const field of ['stateDigest', 'recordDigest', 'partition'] as const) {
        if (isDeepStrictEqual(live[field], replayed[field])) continue;
        yield this.#difference(at, `checkpoint (${field})`, { replayed: replayed[field], live: live[field] });
      }
      const settled = await this.#judge(at);
      if (!settled) continue;
      yield* settled;
      return;
    }
    throw new VarveError('UNAVAILABLE', 'the live graph goes on too fast to be compared');
  }

  async *#replayTo(from: Projected, to: number): AsyncGenerator<GraphComparison, Projected> {
    let at = from;
    if (at.offset >= to) return at;
    for await (const batch of this.#log.read(this.#partition, at.offset + 1)) {
      for (let first = 0; first < batch.length; first += limit.applyRecordsMax) {
        const records = batch.slice(first, first + limit.applyRecordsMax).filter(({ offset }) => offset <= to);
        if (records.length === 0) break;
        checkNoGap(this.#log, this.#partition, at.offset, records);
        at = yield* this.#replay(at, records);
        await new Promise(setImmediate);
      }
      if (at.offset >= to) return at;
    }
    throw missingRecord(this.#log, this.#partition, at.offset + 1);
  }

  async *#replay(at: Projected, records: readonly LogRecord[]): AsyncGenerator<GraphComparison, Projected> {
    const changes: Change[] = [];
    const generation = this.#generation;
    const target = {
      partitionCount: generation.partitionCount,
      checkpoint: (partition: number) => generation.checkpoint(partition),
      facts: (...asked: Parameters<GraphGeneration['facts']>) => generation.facts(...asked),
      apply: (...[partition, batch]: Parameters<GraphGeneration['apply']>) => {
        changes.push(...batch.changes);
        return generation.apply(partition, batch);
      },
    };
    const next = await project(target, this.#partition, at, records);
    if (!next) throw new VarveError('INTERNAL', `the new graph is not at ${at.offset} any more: someone else writes`);
    yield { type: 'replayed', records: records.length };
    yield* this.#compare(next, records, changes);
    return next;
  }

  async *#compare(
    at: Projected,
    records: readonly LogRecord[],
    changes: readonly Change[],
  ): AsyncGenerator<GraphComparison> {
    const facts = await this.#liveFacts(records);
    for (const change of changes) {
      if (isForgotten(facts, change)) continue;
      const row = nameOf(change);
      const sides = { replayed: rowIn(change), live: await this.#liveRow(facts, change) };
      const isEqual = same(sides.replayed, sides.live);
      if (isEqual) this.#doubts.delete(row);
      else if (isWrittenOnce(change)) yield this.#difference(at, row, sides);
      else if (change.type !== 'partition') {
        this.#doubts.set(row, { first: records[0]?.offset ?? 0, last: at.offset, change });
      }
    }
  }

  /** Undefined when the live graph has gone on: what is in doubt may just have changed. */
  async #judge(at: Projected): Promise<GraphComparison[] | undefined> {
    const differences: GraphComparison[] = [];
    for (const [row, { first, last, change }] of this.#doubts) {
      const facts = await this.#liveFacts(await this.#recordsIn(first, last));
      if (facts.offset !== at.offset) return undefined;
      const sides = { replayed: rowIn(change), live: read(() => factOf(facts, change)) };
      if (!same(sides.replayed, sides.live)) differences.push(this.#difference(at, row, sides));
    }
    return differences;
  }

  #liveFacts(records: readonly LogRecord[]): Promise<StoredFacts> {
    const decoded = records.map(({ bytes }) => decodeEvent(bytes));
    const events = decoded.flatMap((record) => (record.type === 'event' ? [record.event] : []));
    return this.#graph.facts(this.#partition, events);
  }

  async #recordsIn(first: number, last: number): Promise<LogRecord[]> {
    const records: LogRecord[] = [];
    for await (const batch of this.#log.read(this.#partition, first)) {
      records.push(...batch.filter(({ offset }) => offset <= last));
      if ((batch.at(-1)?.offset ?? last) >= last) break;
    }
    return records;
  }

  async #liveRow(facts: StoredFacts, change: Change): Promise<unknown> {
    if (change.type !== 'reflog') return read(() => factOf(facts, change));
    const { repo, version } = change.after;
    const [row] = await this.#graph.reflog(repo, { before: version + 1, limit: 1 });
    return row?.version === version ? row : undefined;
  }

  #difference({ offset }: Projected, row: string, sides: { replayed: unknown; live: unknown }): GraphComparison {
    return { type: 'difference', partition: this.#partition, offset, row, ...sides };
  }
}

/** The live graph is further: what it has forgotten is in the sums that were compared by then, and in no row. */
function isForgotten(live: StoredFacts, change: Change): boolean {
  return change.type === 'outcome' && change.after.stretch < keptStretches(live.partition()).first;
}

/** Commits, moves and outcomes never change, so the first look at them is the last. */
function isWrittenOnce({ type }: Change): boolean {
  return type === 'commit' || type === 'reflog' || type === 'outcome';
}

function nameOf(change: Change): string {
  switch (change.type) {
    case 'partition':
      return 'partition';
    case 'repository':
      return `repository ${change.after.repo}`;
    case 'commit':
      return `commit ${change.after.id} of ${change.after.repo}`;
    case 'ref':
      return `${change.ref} of ${change.repo}`;
    case 'reflog':
      return `move ${change.after.version} of ${change.after.repo}`;
    case 'outcome':
      return `outcome of transaction ${change.after.txid}`;
    case 'layer':
      return `layer ${change.after.diffId}`;
    case 'blob': {
      const { digest, incarnation } = (change.after ?? change.before) as { digest: string; incarnation: string };
      return `blob ${digest}, incarnation ${incarnation}`;
    }
    default:
      return unreachable(change);
  }
}

/** What the replay says the row is. */
function rowIn(change: Change): unknown {
  return change.type === 'outcome' ? verdictOf(change.after) : (change.after ?? undefined);
}

/** The same row of the live graph. */
function factOf(facts: StoredFacts, change: Change): unknown {
  switch (change.type) {
    case 'repository':
      return facts.repository(change.after.repo);
    case 'commit':
      return facts.commit(change.after.repo, change.after.id);
    case 'ref':
      return facts.ref(change.repo, change.ref);
    case 'outcome':
      return verdictOf(facts.outcome(change.after.txid));
    case 'layer':
      return facts.layer(change.after.diffId);
    case 'blob': {
      const { digest, incarnation } = (change.after ?? change.before) as NonNullable<typeof change.after>;
      return facts.blobs(digest).find((row) => row.incarnation === incarnation);
    }
    case 'partition':
    case 'reflog':
      return undefined;
    default:
      return unreachable(change);
  }
}

/** The words of a rejection may be put better one day; its code stays. */
function verdictOf(row: OutcomeRow | undefined): unknown {
  if (row?.outcome.type !== 'rejected') return row;
  return { ...row, outcome: { type: 'rejected', code: row.outcome.code } };
}

/** A row that cannot be read is told of as what it is. */
function read(look: () => unknown): unknown {
  try {
    return look();
  } catch (error) {
    if (isVarveError(error, 'UNAVAILABLE')) throw error;
    return `not readable: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** As JSON: a member that is undefined is none. */
function same(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(plain(a), plain(b));
}

function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
