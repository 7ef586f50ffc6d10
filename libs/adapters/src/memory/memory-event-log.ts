import { assert } from '#core/error';
import type { LogRecord } from '#core/event';
import { limit } from '#core/limit';
import type { Clock } from '#ports/clock';
import type { EventLog } from '#ports/event-log';
import { firstRecord, newLogId } from '../first-record.js';
import { AppendSignal } from '../follow-appends.js';
import { checkRecordSizes } from '../record-size.js';

/** A log that lives as long as the process. */
export function openMemoryEventLog(clock: Clock, partitionCount = 1): EventLog {
  return new MemoryEventLog(clock, partitionCount);
}

class MemoryEventLog implements EventLog {
  readonly id = newLogId();
  readonly partitionCount: number;
  readonly #clock: Clock;
  readonly #partitions: LogRecord[][];
  readonly #appended = new AppendSignal();

  constructor(clock: Clock, partitionCount: number) {
    this.#clock = clock;
    this.partitionCount = partitionCount;
    const first = { offset: 0, time: clock.now(), bytes: firstRecord(this.id, clock.now()) };
    this.#partitions = Array.from({ length: partitionCount }, () => [first]);
  }

  async append(partition: number, records: readonly Uint8Array[]): Promise<void> {
    checkRecordSizes(records);
    const log = this.#partition(partition);
    const time = Math.max(this.#clock.now(), log.at(-1)?.time ?? 0);
    for (const bytes of records) log.push({ offset: log.length, time, bytes: Uint8Array.from(bytes) });
    this.#appended.wake();
  }

  async *read(partition: number, from: number): AsyncGenerator<readonly LogRecord[]> {
    const log = this.#partition(partition);
    const end = log.length;
    for (let at = from; at < end; at += limit.applyRecordsMax)
      yield log.slice(at, Math.min(end, at + limit.applyRecordsMax));
  }

  async *follow(partition: number, from: number, signal: AbortSignal): AsyncGenerator<readonly LogRecord[]> {
    for (let at = from; !signal.aborted;) {
      const more = this.#appended.next(signal);
      for await (const batch of this.read(partition, at)) {
        if (signal.aborted) return;
        yield batch;
        at += batch.length;
      }
      await more;
    }
  }

  async end(partition: number): Promise<number> {
    return this.#partition(partition).length;
  }

  async close(): Promise<void> {}

  #partition(partition: number): LogRecord[] {
    const log = this.#partitions[partition];
    assert(log, `there is no partition ${partition}: the log has ${this.partitionCount}`);
    return log;
  }
}
