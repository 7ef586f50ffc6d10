import type { LogRecord } from '#core/event';

/**
 * The ordered records: the only source of truth. One total order per partition; offsets are contiguous from 0.
 * An append is a wish that becomes durable; it says nothing about the offset, so that no caller can trust an
 * acknowledgement instead of the fold. A retried append may stand twice; the fold makes that harmless.
 * @see event-log.md 1.4, 1.5
 */
export interface EventLog {
  /** Short, made once with the log; positions carry it. */
  readonly id: string;
  readonly partitionCount: number;

  /**
   * Appends whole records in this order. When it returns they are durable. When it throws, any number of them, from
   * the first on, may stand in the log all the same.
   * @throws STORAGE_FULL (nothing was appended), UNAVAILABLE, LIMIT_EXCEEDED (a record over `limit.importRecordBytesMax`)
   */
  append(partition: number, records: readonly Uint8Array[]): Promise<void>;

  /** The records from `from` up to the end as it is now, in batches. */
  read(partition: number, from: number): AsyncIterable<readonly LogRecord[]>;

  /** The same, and then what is appended later, until the signal. A batch is never empty. */
  follow(partition: number, from: number, signal: AbortSignal): AsyncIterable<readonly LogRecord[]>;

  /** The offset the next record will get. */
  end(partition: number): Promise<number>;

  close(): Promise<void>;
}
