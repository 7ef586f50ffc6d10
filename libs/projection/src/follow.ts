import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, isVarveError, VarveError } from '#core/error';
import type { LogRecord } from '#core/event';
import { limit } from '#core/limit';
import type { Clock } from '#ports/clock';
import type { EventLog } from '#ports/event-log';
import type { GraphStore } from '#ports/graph-store';
import { checkContinuity, checkNoGap } from './continue-log.js';
import { project, type Projected } from './project.js';

/** What passes by itself: the projector waits and goes on from the checkpoint. Everything else is an alarm. */
const passing: ReadonlySet<ErrorCode> = new Set(['UNAVAILABLE', 'STORAGE_FULL', 'OVERLOADED']);
const retryMsMin = 50;
const retryMsMax = 5_000;
const lookEveryMsDefault = 1_000;

export interface ProjectorOptions {
  readonly log: EventLog;
  readonly graph: GraphStore;
  /** How often a graph that nothing is appended for is looked at. */
  readonly lookEveryMs?: number;
  /** Whose time no record may be far ahead of; without one none is. */
  readonly clock?: Clock;
  /** Told once when a partition stops at a record that is ahead of the clock. */
  readonly onAlarm?: (alarm: VarveError) => void;
}

/**
 * Keeps the graph up with the log, one loop a partition. Any number of projectors may work on one graph: applying is a
 * compare-and-swap on the offset, and the fold is the same everywhere, so the slower one only skips.
 *
 * It halts, and never goes on, when the log is behind the graph or has a gap, and at rules it does not know; then
 * `failure` settles and `caughtUp` rejects. At a record that is far ahead of the clock it halts too, but by itself goes
 * on when the clock has got there: which of the two is wrong it cannot know. @see event-log 1.4, 1.6 rule 11
 */
export class Projector {
  /** Settles, with the reason, when a partition halts; never if none does. */
  readonly failure: Promise<VarveError>;
  /** Settles when the graph has no room for the first time: it waits for some, and who only starts may rather say so. */
  readonly full: Promise<VarveError>;
  readonly #log: EventLog;
  readonly #graph: GraphStore;
  readonly #lookEveryMs: number;
  readonly #ending = new AbortController();
  readonly #failed = Promise.withResolvers<VarveError>();
  readonly #full = Promise.withResolvers<VarveError>();
  readonly #clock: Clock | undefined;
  readonly #onAlarm: (alarm: VarveError) => void;
  /** By partition: the record that is ahead of the clock. */
  readonly #alarms = new Map<number, VarveError>();
  #halted: VarveError | undefined;
  #loops: Promise<void>[] = [];
  /** By partition: the log was seen to be the one that the graph was made from. */
  #continued: PromiseWithResolvers<void>[] = [];

  constructor({ log, graph, lookEveryMs = lookEveryMsDefault, clock, onAlarm = () => {} }: ProjectorOptions) {
    this.#log = log;
    this.#graph = graph;
    this.#lookEveryMs = lookEveryMs;
    this.#clock = clock;
    this.#onAlarm = onAlarm;
    this.failure = this.#failed.promise;
    this.full = this.#full.promise;
  }

  start(): void {
    const partitions = Array.from({ length: this.#log.partitionCount }, (_, partition) => partition);
    this.#continued = partitions.map(() => Promise.withResolvers());
    this.#loops = partitions.map((partition) => this.#follow(partition));
  }

  /** Why it has halted; undefined while it goes on, and again when its clock has passed the record it waits before. */
  get halted(): VarveError | undefined {
    return this.#halted ?? this.#alarms.values().next().value;
  }

  /** When everything that stood in the log at the time of the call is projected. @throws what a halted partition failed with */
  async caughtUp(): Promise<void> {
    await Promise.all(this.#loops.map((_, partition) => this.#caughtUp(partition)));
  }

  /** The batch in hand is finished or left; nothing half of it stays. */
  async stop(): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#loops);
  }

  async #caughtUp(partition: number): Promise<void> {
    const target = (await this.#log.end(partition)) - 1;
    const reached = Promise.withResolvers<void>();
    const stopListening = this.#graph.onApplied((notice) => {
      if (notice.partition === partition && notice.offset >= target) reached.resolve();
    });
    try {
      // Notices may be lost or come from elsewhere, so the checkpoint is looked at as well.
      while (!this.halted && (await this.#graph.checkpoint(partition)).offset < target) {
        await Promise.race([reached.promise, this.failure, sleep(retryMsMin)]);
      }
    } finally {
      stopListening();
    }
    // A graph that is beyond the end of its log is at no loss for records, and must not count as one that follows it.
    await Promise.race([this.#continued[partition]?.promise, this.#loops[partition]]);
    if (this.halted) throw this.halted;
  }

  async #follow(partition: number): Promise<void> {
    let waitMs = retryMsMin;
    while (!this.#ending.signal.aborted) {
      try {
        await this.#followFrom(partition, await this.#graph.checkpoint(partition), () => (waitMs = retryMsMin));
      } catch (error) {
        if (isVarveError(error, 'LOG_TIME_AHEAD')) this.#alarm(partition, error);
        else if (!isVarveError(error) || !passing.has(error.code)) return this.#halt(error);
        if (error.code === 'STORAGE_FULL') this.#full.resolve(error);
        await sleep(waitMs, undefined, { signal: this.#ending.signal }).catch(() => undefined);
        waitMs = Math.min(2 * waitMs, retryMsMax);
      }
    }
  }

  /** Follows until the end is asked for, or until the graph turns out to be elsewhere: then it starts again from there. */
  async #followFrom(partition: number, checkpoint: Projected, onApplied: () => void): Promise<void> {
    await checkContinuity(this.#log, partition, checkpoint);
    this.#continued[partition]?.resolve();
    let at = checkpoint;
    const lost = new AbortController();
    const watching = this.#watch(partition, () => at.offset, lost);
    try {
      const signal = AbortSignal.any([this.#ending.signal, lost.signal]);
      for await (const batch of this.#log.follow(partition, at.offset + 1, signal)) {
        for (const records of sliced(batch, at.offset)) {
          if (signal.aborted) return;
          checkNoGap(this.#log, partition, at.offset, records);
          const ahead = records.find((record) => this.#isAhead(record));
          const timely = ahead ? records.filter(({ offset }) => offset < ahead.offset) : records;
          const next = timely.length > 0 ? await project(this.#graph, partition, at, timely) : at;
          if (!next) return;
          at = next;
          if (ahead) throw this.#timeAhead(partition, ahead);
          this.#alarms.delete(partition);
          onApplied();
        }
      }
    } finally {
      lost.abort();
      await watching;
    }
  }

  /**
   * A store that went back is noticed by the next batch; but who waits for it to be filled again may append nothing, so
   * it is looked at as well. Aborts when the graph is behind what this projector has seen of it.
   */
  async #watch(partition: number, reached: () => number, lost: AbortController): Promise<void> {
    const signal = AbortSignal.any([this.#ending.signal, lost.signal]);
    while (!signal.aborted) {
      await sleep(this.#lookEveryMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      const before = reached();
      // One that is away tells so itself, at the next batch or the next look.
      const checkpoint = await this.#graph.checkpoint(partition).catch(() => undefined);
      if (checkpoint && checkpoint.offset < before) lost.abort();
    }
  }

  #isAhead({ time }: LogRecord): boolean {
    return this.#clock !== undefined && time - this.#clock.now() > limit.aheadMsMax;
  }

  #timeAhead(partition: number, { offset, time }: LogRecord): VarveError {
    const now = this.#clock?.now() ?? 0;
    const message = `record ${offset} of partition ${partition} of the event log was appended at ${instant(time)}, and it is ${instant(now)} here: set the clock that is wrong. Nothing from this record on is projected until this clock has come within ${limit.aheadMsMax / 60_000} minutes of it`;
    return new VarveError('LOG_TIME_AHEAD', message, { partition, offset, time, now });
  }

  #alarm(partition: number, alarm: VarveError): void {
    if (!this.#alarms.has(partition)) this.#onAlarm(alarm);
    this.#alarms.set(partition, alarm);
  }

  #halt(error: unknown): void {
    const message = `projection failed: ${error instanceof Error ? error.message : String(error)}`;
    this.#halted ??= isVarveError(error) ? error : new VarveError('INTERNAL', message, {}, { cause: error });
    this.#failed.resolve(this.#halted);
  }
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}

/** What is new in a batch, in steps small enough for one transaction. */
function* sliced(batch: readonly LogRecord[], offset: number): Generator<readonly LogRecord[]> {
  const fresh = batch.filter((record) => record.offset > offset);
  for (let at = 0; at < fresh.length; at += limit.applyRecordsMax) yield fresh.slice(at, at + limit.applyRecordsMax);
}
