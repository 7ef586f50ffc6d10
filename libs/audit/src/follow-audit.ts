import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, isVarveError, VarveError } from '#core/error';
import type { LogRecord } from '#core/event';
import { type OutcomeRow, outcomesSince } from '#core/graph-row';
import { limit } from '#core/limit';
import type { AuditStore } from '#ports/audit-store';
import type { EventLog } from '#ports/event-log';
import type { GraphReader } from '#ports/graph-store';
import { AuditTree, type JudgedRecord } from './audit-tree.js';
import { type Checkpoint, forked, openCheckpoint, originOf, signedSize } from './checkpoint.js';
import { decodeEntry, recordHash } from './entry.js';
import { judgedRecord, type ReadOutcome } from './judged-record.js';
import { rootOf } from './merkle.js';
import type { NoteVerifier } from './note.js';
import { hashReader } from './read-hashes.js';

const passing: ReadonlySet<ErrorCode> = new Set(['UNAVAILABLE', 'STORAGE_FULL', 'OVERLOADED']);
const retryMsMin = 50;
const retryMsMax = 5_000;
/** Outcomes that the projector has told of and nobody has needed yet. */
const outcomesKept = 4_096;
/** How often a store that others may share, or that may be emptied, is asked whether it still has what was appended. */
const lookEveryMs = 1_000;

/** A record may move a thousand refs; one step of a store takes the paths of so many, unless one record has more. */
const movesAtOnce = 2_048;

interface Stores {
  readonly log: EventLog;
  readonly graph: GraphReader;
  readonly store: AuditStore;
  /** Who signs the checkpoints that stand in the log; without one they are not looked at. */
  readonly verifier?: NoteVerifier | undefined;
  /** Called for each checkpoint that stands in the log: of which tree, and over how many entries. */
  readonly onTold?: (partition: number, size: number) => void;
  /** What became of records whose outcomes the graph has forgotten; without it they halt the trees. */
  readonly replay?: ForgottenOutcomes | undefined;
}

/** Tells the outcomes that records of a partition made, by transaction, batch after batch; `close` when it is not needed. */
export interface ForgottenOutcomes {
  outcomes(partition: number, records: readonly LogRecord[]): Promise<ReadonlyMap<string, OutcomeRow>>;
  close(partition?: number): Promise<void>;
}

/**
 * Keeps the audit trees up with the graph, one loop a partition: downstream of the projector, so that neither a write
 * nor a query waits for it. It reads the records again and asks the graph what became of them. Like the projector it
 * halts at a log that is not the one it has followed, and never goes on. @see event-log 5.3
 */
export class AuditFollower {
  /** Settles, with the reason, when a partition halts; never if none does. */
  readonly failure: Promise<VarveError>;
  readonly #stores: Stores;
  readonly #ending = new AbortController();
  readonly #failed = Promise.withResolvers<VarveError>();
  readonly #told = new Map<string, OutcomeRow>();
  readonly #listeners = new Set<() => void>();
  #halted: VarveError | undefined;
  #loops: Promise<void>[] = [];
  #stopListening = () => {};

  constructor(stores: Stores) {
    this.#stores = stores;
    this.failure = this.#failed.promise;
  }

  start(): void {
    this.#stopListening = this.#stores.graph.onApplied(({ outcomes }) => this.#remember(outcomes));
    const { partitionCount } = this.#stores.log;
    this.#loops = Array.from({ length: partitionCount }, (_, partition) => this.#follow(partition));
  }

  /** Calls after each batch of entries. */
  onGrown(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** When the trees have every record that stood in the log at the time of the call. @throws what a partition halted with */
  async caughtUp(): Promise<void> {
    const { log, store } = this.#stores;
    for (let partition = 0; partition < log.partitionCount; partition += 1) {
      const end = await log.end(partition);
      while (!this.#halted && !this.#ending.signal.aborted && (await store.size(partition)).entries < end)
        await sleep(5);
    }
    if (this.#halted) throw this.#halted;
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    this.#stopListening();
    await Promise.all(this.#loops);
    await this.#stores.replay?.close();
  }

  async #follow(partition: number): Promise<void> {
    let waitMs = retryMsMin;
    while (!this.#ending.signal.aborted) {
      try {
        await this.#followOn(partition, () => (waitMs = retryMsMin));
      } catch (error) {
        if (!isVarveError(error) || !passing.has(error.code)) return this.#halt(error);
        await this.#pause(waitMs);
        waitMs = Math.min(2 * waitMs, retryMsMax);
      }
    }
  }

  /** Until the end is asked for, or until another writer turns out to be faster. */
  async #followOn(partition: number, onGrown: () => void): Promise<void> {
    const { store } = this.#stores;
    await checkSameLog(this.#stores, partition);
    const tree = await AuditTree.open(store, partition);
    const left = new AbortController();
    const watching = this.#whenLost(partition, tree, left.signal).then(() => left.abort());
    try {
      const signal = AbortSignal.any([this.#ending.signal, left.signal]);
      await this.#appendFrom(partition, { tree, signal, onGrown });
    } catch (error) {
      // What a store that went back does not have any more is not damaged.
      if (!(await this.#hasLost(partition, tree))) throw error;
    } finally {
      left.abort();
      await watching;
    }
  }

  /** Settles when the store has less than the tree, so that it is to be opened again: also when nothing new comes. */
  async #whenLost(partition: number, tree: AuditTree, left: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([left, this.#ending.signal]);
    for (;;) {
      await sleep(lookEveryMs, undefined, { signal, ref: false }).catch(() => undefined);
      // A store that is away has lost nothing yet.
      if (signal.aborted || (await this.#hasLost(partition, tree).catch(() => false))) return;
    }
  }

  async #hasLost(partition: number, { size }: AuditTree): Promise<boolean> {
    return (await this.#stores.store.size(partition)).entries < size;
  }

  async #appendFrom(
    partition: number,
    { tree, signal, onGrown }: { readonly tree: AuditTree; readonly signal: AbortSignal; readonly onGrown: () => void },
  ): Promise<void> {
    for await (const batch of this.#stores.log.follow(partition, tree.size, signal)) {
      const fresh = batch.filter(({ offset }) => offset >= tree.size);
      for (let at = 0; at < fresh.length; at += limit.applyRecordsMax) {
        const records = fresh.slice(at, at + limit.applyRecordsMax);
        checkNoGap(records, tree.size, partition);
        if (!(await this.#judged(partition, records.at(-1) as LogRecord))) return;
        const judged = await this.#judgedRecords(partition, records);
        for (const some of inSteps(judged)) if (!(await tree.append(some))) return;
        for (const { checkpoint } of judged)
          if (checkpoint !== undefined) await this.#checkToldRoot(partition, checkpoint);
        onGrown();
        for (const listener of this.#listeners) listener();
      }
    }
  }

  /** The outcomes first, and then whether they were all kept: what is forgotten looks like what never was. */
  async #judgedRecords(partition: number, records: readonly LogRecord[]): Promise<JudgedRecord[]> {
    const { graph, replay } = this.#stores;
    const first = (records[0] as LogRecord).offset;
    const judged = await judgedBy(records, (txid) => this.#outcome(partition, txid));
    const { partition: row } = await graph.checkpoint(partition);
    if (outcomesSince(row) <= first) {
      await replay?.close(partition);
      return judged;
    }
    if (!replay) {
      const message = `what became of record ${first} of partition ${partition} is forgotten: the audit trees cannot be made without a replay`;
      throw new VarveError('OUTCOME_EXPIRED', message, { partition, offset: first });
    }
    const outcomes = await replay.outcomes(partition, records);
    return judgedBy(records, async (txid) => outcomes.get(txid));
  }

  /** Waits until the graph has passed the record; false when the end comes first. */
  async #judged(partition: number, { offset }: LogRecord): Promise<boolean> {
    const { graph } = this.#stores;
    while ((await graph.checkpoint(partition)).offset < offset) {
      if (this.#ending.signal.aborted) return false;
      const applied = Promise.withResolvers<void>();
      const stopListening = graph.onApplied(() => applied.resolve());
      // Notices may be lost or come from elsewhere, so it looks again by itself.
      await Promise.race([applied.promise, this.#pause(retryMsMin)]);
      stopListening();
    }
    return !this.#ending.signal.aborted;
  }

  /** The tree has the root that the notary told the log it had. @throws CHECKPOINT_FORKED */
  async #checkToldRoot(partition: number, note: string): Promise<void> {
    const { log, store, verifier, onTold } = this.#stores;
    const told = verifier && checkpointIn(note, verifier);
    // One of the log that this was copied from, or of nobody, binds no one.
    if (!told || told.origin !== originOf(log.id, partition)) return;
    const root = await rootOf(told.size, hashReader(store, partition));
    if (root !== told.root) throw forked(told, { ...told, root });
    onTold?.(partition, told.size);
  }

  async #outcome(partition: number, txid: string): Promise<OutcomeRow | undefined> {
    const told = this.#told.get(txid);
    if (!told) return this.#stores.graph.outcome(partition, txid);
    this.#told.delete(txid);
    return told;
  }

  #remember(outcomes: readonly OutcomeRow[]): void {
    for (const row of outcomes) this.#told.set(row.txid, row);
    for (const txid of this.#told.keys()) {
      if (this.#told.size <= outcomesKept) return;
      this.#told.delete(txid);
    }
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#ending.signal }).catch(() => undefined);
  }

  #halt(error: unknown): void {
    const message = `the audit trees have stopped: ${error instanceof Error ? error.message : String(error)}`;
    this.#halted ??= isVarveError(error) ? error : new VarveError('INTERNAL', message, {}, { cause: error });
    this.#failed.resolve(this.#halted);
  }
}

async function judgedBy(records: readonly LogRecord[], read: ReadOutcome): Promise<JudgedRecord[]> {
  const judged: JudgedRecord[] = [];
  for (const record of records) judged.push(await judgedRecord(record, read));
  return judged;
}

function* inSteps(records: readonly JudgedRecord[]): Generator<readonly JudgedRecord[]> {
  let [step, moves]: [JudgedRecord[], number] = [[], 0];
  for (const record of records) {
    if (step.length > 0 && moves + record.moves.length > movesAtOnce) {
      yield step;
      [step, moves] = [[], 0];
    }
    step.push(record);
    moves += record.moves.length;
  }
  if (step.length > 0) yield step;
}

function checkNoGap(records: readonly LogRecord[], from: number, partition: number): void {
  const gap = records.findIndex(({ offset }, i) => offset !== from + i);
  if (gap < 0) return;
  const message = `partition ${partition} of the event log has lost record ${from + gap}: restore the log from a copy`;
  throw new VarveError('LOG_TRUNCATED', message, { partition, missing: from + gap });
}

function checkpointIn(note: string, verifier: NoteVerifier): Checkpoint | undefined {
  try {
    return openCheckpoint(note, verifier);
  } catch (error) {
    if (isVarveError(error, 'PROOF_INVALID')) return undefined;
    throw error;
  }
}

/** The last record in the tree is still where it was. @throws LOG_TRUNCATED, CORRUPT */
async function checkSameLog({ log, store }: Stores, partition: number): Promise<void> {
  const { entries } = await store.size(partition);
  const end = await log.end(partition);
  const seen = Math.max(entries, signedSize(await store.checkpoint(partition)));
  if (end < seen) {
    const message = `partition ${partition} of the event log ends at ${end}, and ${seen} records have been seen: the log was cut off. Restore it from a copy`;
    throw new VarveError('LOG_TRUNCATED', message, { partition, end, seen });
  }
  if (entries === 0) return;
  const offset = entries - 1;
  const [row] = await store.entries(partition, offset, entries);
  for await (const [record] of log.read(partition, offset)) {
    if (record?.offset === offset && row && decodeEntry(row.entry)?.record === recordHash(record.bytes)) return;
    break;
  }
  const message = `record ${offset} of partition ${partition} is not the one that the audit tree has seen: the event log was changed. Restore the log`;
  throw new VarveError('CORRUPT', message, { partition, offset });
}
