import type { Kafka, Message, Producer } from 'kafkajs';
import { VarveError } from '#core/error';
import { limit } from '#core/limit';
import { inTime, untilSettled } from './deadline.js';
import { isKafkaError, unavailable } from './kafka-error.js';

interface Waiting {
  readonly records: readonly Uint8Array[];
  readonly appended: PromiseWithResolvers<void>;
}

/**
 * Appends with one `sendBatch` in flight: what arrives meanwhile, for any partition, goes together in the next one. The
 * producer is not idempotent: kafkajs' idempotent mode can acknowledge a record that was never stored, and a record that
 * stands twice is harmless. @see event-log 4.2
 */
export class Appender {
  readonly #kafka: Kafka;
  readonly #addresses: readonly string[];
  readonly #topic: string;
  readonly #waiting = new Map<number, Waiting[]>();
  /** Partitions that were in a failed send: they go alone until they succeed, so that a lost one takes no other along. */
  readonly #suspected = new Set<number>();
  #producer: Producer | undefined;
  #sending: Promise<void> | undefined;
  #closed = false;

  constructor(kafka: Kafka, addresses: readonly string[], topic: string) {
    this.#kafka = kafka;
    this.#addresses = addresses;
    this.#topic = topic;
  }

  /** @throws UNAVAILABLE: all, some or none of it may stand; LIMIT_EXCEEDED when the topic was set to smaller batches */
  async append(partition: number, records: readonly Uint8Array[]): Promise<void> {
    for (const batch of batches(records)) await this.#enqueue(partition, batch);
  }

  /** What is in flight is waited for. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#sending;
    if (this.#producer) await inTime(this.#producer.disconnect()).catch(() => undefined);
  }

  #enqueue(partition: number, records: readonly Uint8Array[]): Promise<void> {
    const appended = Promise.withResolvers<void>();
    const queue = this.#waiting.get(partition);
    if (queue) queue.push({ records, appended });
    else this.#waiting.set(partition, [{ records, appended }]);
    this.#sending ??= this.#sendAll();
    return appended.promise;
  }

  async #sendAll(): Promise<void> {
    // Not at once: what the same turn of the event loop brought goes together.
    await new Promise(setImmediate);
    while (this.#waiting.size > 0) {
      const parts = this.#take();
      try {
        await this.#send(
          new Map(Array.from(parts, ([partition, part]) => [partition, part.flatMap((w) => w.records)])),
        );
        for (const [partition, part] of parts) {
          this.#suspected.delete(partition);
          for (const { appended } of part) appended.resolve();
        }
      } catch (error) {
        for (const [partition, part] of parts) {
          this.#suspected.add(partition);
          for (const { appended } of part) appended.reject(error);
        }
      }
    }
    // In the same step as the look at who waits: nobody can come in between and wait for ever.
    this.#sending = undefined;
  }

  /** As much of each waiting partition as one batch holds; a suspected partition alone. */
  #take(): Map<number, Waiting[]> {
    const [first] = this.#waiting.keys();
    const alone = this.#suspected.has(first as number);
    const partitions = [...this.#waiting.keys()].filter((partition) =>
      alone ? partition === first : !this.#suspected.has(partition),
    );
    return new Map(partitions.map((partition) => [partition, this.#takeOf(partition)]));
  }

  #takeOf(partition: number): Waiting[] {
    const queue = this.#waiting.get(partition) ?? [];
    this.#waiting.delete(partition);
    let sizeBytes = 0;
    let count = 0;
    const full = queue.findIndex(({ records }, i) => {
      count += records.length;
      sizeBytes += sizeOf(records);
      return i > 0 && (count > limit.appendBatchRecordsMax || sizeBytes > limit.appendBatchBytesMax);
    });
    // The rest goes to the end of the line.
    if (full !== -1) this.#waiting.set(partition, queue.splice(full));
    return queue;
  }

  async #send(parts: ReadonlyMap<number, readonly Uint8Array[]>): Promise<void> {
    const messages = Array.from(parts, ([partition, records]) =>
      records.map((bytes) => ({ key: null, value: bufferOf(bytes), partition })),
    ).flat();
    try {
      await inTime(untilSettled(() => this.#sendTwice(messages)));
    } catch (error) {
      this.#giveUp();
      throw this.#failure(error);
    }
  }

  /** Once more after an error, with a new producer: a partition may have got another leader. */
  async #sendTwice(messages: Message[]): Promise<void> {
    const batch = { acks: -1, timeout: 3_000, topicMessages: [{ topic: this.#topic, messages }] };
    try {
      await (await this.#connected()).sendBatch(batch);
    } catch {
      this.#giveUp();
      await (await this.#connected()).sendBatch(batch);
    }
  }

  async #connected(): Promise<Producer> {
    if (this.#closed) throw new Error('the log was closed');
    if (this.#producer) return this.#producer;
    this.#producer = this.#kafka.producer({
      idempotent: false,
      allowAutoTopicCreation: false,
      retry: { retries: 0 },
    });
    await this.#producer.connect();
    return this.#producer;
  }

  /** A producer that failed may hold connections that nobody answers on: the next send begins with a new one. */
  #giveUp(): void {
    const producer = this.#producer;
    this.#producer = undefined;
    producer?.disconnect().catch(() => undefined);
  }

  #failure(error: unknown): VarveError {
    if (isKafkaError(error, 'MESSAGE_TOO_LARGE') || isKafkaError(error, 'RECORD_LIST_TOO_LARGE')) {
      const message = `the topic ${this.#topic} takes smaller batches than when this started: set its max.message.bytes to 1048576`;
      return new VarveError('LIMIT_EXCEEDED', message, { topic: this.#topic }, { cause: error });
    }
    return unavailable(this.#addresses, error);
  }
}

/** Cut so that each fits into one record batch of Kafka's. @see event-log 1.6 rule 7 */
function* batches(records: readonly Uint8Array[]): Generator<readonly Uint8Array[]> {
  let batch: Uint8Array[] = [];
  let sizeBytes = 0;
  for (const bytes of records) {
    const full = batch.length === limit.appendBatchRecordsMax || sizeBytes + bytes.length > limit.appendBatchBytesMax;
    if (full && batch.length > 0) {
      yield batch;
      batch = [];
      sizeBytes = 0;
    }
    batch.push(bytes);
    sizeBytes += bytes.length;
  }
  if (batch.length > 0) yield batch;
}

function sizeOf(records: readonly Uint8Array[]): number {
  return records.reduce((sum, { length }) => sum + length, 0);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
