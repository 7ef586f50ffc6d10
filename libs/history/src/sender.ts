import { limit } from '#core/limit';
import type { EventLog } from '#ports/event-log';

interface Waiting {
  readonly bytes: Uint8Array;
  readonly sent: PromiseWithResolvers<void>;
}

/**
 * Appends to one partition with one append in flight: what arrives meanwhile goes together in the next one. So records
 * keep the order in which they were given, and one fsync serves all who wait.
 */
export class Sender {
  readonly #log: EventLog;
  readonly #partition: number;
  #waiting: Waiting[] = [];
  #sending = false;

  constructor(log: EventLog, partition: number) {
    this.#log = log;
    this.#partition = partition;
  }

  /** When the record is durable. @throws what `EventLog.append` throws, for every record of the same append */
  send(bytes: Uint8Array): Promise<void> {
    const sent = Promise.withResolvers<void>();
    this.#waiting.push({ bytes, sent });
    if (!this.#sending) {
      this.#sending = true;
      // Not at once: requests that the same turn of the event loop brought go together.
      setImmediate(() => void this.#sendAll());
    }
    return sent.promise;
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#nextBatch();
      try {
        await this.#log.append(
          this.#partition,
          batch.map(({ bytes }) => bytes),
        );
        for (const { sent } of batch) sent.resolve();
      } catch (error) {
        for (const { sent } of batch) sent.reject(error);
      }
    }
    this.#sending = false;
  }

  #nextBatch(): Waiting[] {
    let sizeBytes = 0;
    const full = this.#waiting.findIndex(({ bytes }, count) => {
      sizeBytes += bytes.length;
      return count === limit.appendBatchRecordsMax || (count > 0 && sizeBytes > limit.appendBatchBytesMax);
    });
    const count = full === -1 ? this.#waiting.length : full;
    const batch = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    return batch;
  }
}
