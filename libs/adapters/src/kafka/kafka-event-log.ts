import { setTimeout as sleep } from 'node:timers/promises';
import { assert, isVarveError } from '#core/error';
import type { LogRecord } from '#core/event';
import { limit } from '#core/limit';
import type { EventLog } from '#ports/event-log';
import { checkRecordSizes } from '../record-size.js';
import { Appender } from './appender.js';
import { EndQuestions } from './end-questions.js';
import { newCluster, newKafka } from './kafka-client.js';
import { readOrMakeIdentity } from './log-identity.js';
import { checkVersions, type LogTopic, makeOrCheckTopic } from './log-topic.js';
import { recordsFrom } from './partition-fetch.js';
import { Tail } from './tail.js';
import { TopicBrokers } from './topic-brokers.js';

export interface KafkaEventLogOptions extends LogTopic {
  /** host:port of some of the brokers. */
  readonly brokers: readonly string[];
  /** What the brokers see of us in their logs and quotas. */
  readonly clientId?: string | undefined;
}

const readBytesMax = 4 << 20;
const retryMs = 250;

/**
 * The log in one topic of Kafka, one partition of it for each of ours. Any number of processes may append and read. The
 * topic is made when it is not there, and refused when it would lose or change records.
 * @throws CONFIG_INVALID with what to change, UNAVAILABLE when no broker answers, LOG_TRUNCATED when the topic has lost its
 * beginning
 */
export async function openKafkaEventLog(options: KafkaEventLogOptions): Promise<EventLog> {
  const { brokers: addresses, topic, partitions: partitionCount, clientId = 'varve' } = options;
  const kafka = newKafka(addresses, clientId);
  const appender = new Appender(kafka, addresses, topic);
  const brokers = new TopicBrokers(newCluster(kafka), addresses, topic);
  const parts = { brokers, appender, partitionCount };
  const unnamed = new KafkaEventLog(parts, '');
  try {
    checkVersions(await brokers.versions(), addresses.join(','));
    const isNew = await makeOrCheckTopic(kafka, addresses, options);
    await brokers.connect();
    return new KafkaEventLog(parts, await readOrMakeIdentity(unnamed, topic, isNew));
  } catch (error) {
    await unnamed.close();
    throw error;
  }
}

interface Parts {
  readonly brokers: TopicBrokers;
  readonly appender: Appender;
  readonly partitionCount: number;
}

class KafkaEventLog implements EventLog {
  readonly id: string;
  readonly partitionCount: number;
  readonly #brokers: TopicBrokers;
  readonly #appender: Appender;
  readonly #ends: EndQuestions;
  readonly #tail: Tail;

  constructor({ brokers, appender, partitionCount }: Parts, id: string) {
    this.id = id;
    this.#brokers = brokers;
    this.#appender = appender;
    this.partitionCount = partitionCount;
    this.#ends = new EndQuestions(brokers);
    this.#tail = new Tail(brokers);
  }

  async append(partition: number, records: readonly Uint8Array[]): Promise<void> {
    this.#check(partition);
    checkRecordSizes(records);
    await this.#appender.append(partition, records);
  }

  /** @throws UNAVAILABLE, LOG_TRUNCATED when the partition does not hold what is asked for, CORRUPT */
  async *read(partition: number, from: number): AsyncGenerator<readonly LogRecord[]> {
    const end = await this.end(partition);
    let next = from < end ? this.#readOnce(partition, from) : undefined;
    for (let at = from; at < end;) {
      const records = (await next) ?? [];
      at += records.length;
      // The next answer comes while this one is worked on.
      next = at < end ? this.#readOnce(partition, at) : undefined;
      next?.catch(() => undefined);
      yield* sliced(records.filter(({ offset }) => offset < end));
    }
  }

  /**
   * A follower of a broker that is lost waits until it is back, and is told UNAVAILABLE then: what came back may not be
   * what was there, so the caller looks at the log anew.
   * @throws UNAVAILABLE, LOG_TRUNCATED, CORRUPT
   */
  async *follow(partition: number, from: number, signal: AbortSignal): AsyncGenerator<readonly LogRecord[]> {
    let at = from;
    try {
      for await (const records of this.read(partition, at)) {
        if (signal.aborted) return;
        yield records;
        at += records.length;
      }
      for await (const records of this.#tail.follow(partition, at, signal)) yield* sliced(records);
    } catch (error) {
      if (isVarveError(error, 'UNAVAILABLE')) await this.#untilBack(partition, signal);
      if (!signal.aborted) throw error;
    }
  }

  async end(partition: number): Promise<number> {
    this.#check(partition);
    return this.#ends.end(partition);
  }

  async close(): Promise<void> {
    await Promise.all([this.#appender.close(), this.#brokers.close()]);
  }

  /** At least one record. */
  async #readOnce(partition: number, from: number): Promise<LogRecord[]> {
    const limits = { maxWaitTime: 0, minBytes: 1, maxBytes: readBytesMax, partitionBytesMax: readBytesMax };
    return this.#brokers.askLeader(partition, async (leader) => {
      const { partitions } = await this.#brokers.fetch(leader, 'at once', new Map([[partition, from]]), limits);
      const [fetched] = partitions;
      assert(fetched, `Kafka answered nothing about partition ${partition}`);
      return recordsFrom(this.#brokers, leader, from, fetched);
    });
  }

  /** @throws LOG_TRUNCATED when the topic is gone */
  async #untilBack(partition: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.end(partition);
        return;
      } catch (error) {
        if (!isVarveError(error, 'UNAVAILABLE')) throw error;
        await sleep(retryMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  #check(partition: number): void {
    const isOurs = Number.isInteger(partition) && partition >= 0 && partition < this.partitionCount;
    assert(isOurs, `there is no partition ${partition}: this log has ${this.partitionCount}`);
  }
}

function* sliced(records: readonly LogRecord[]): Generator<readonly LogRecord[]> {
  for (let at = 0; at < records.length; at += limit.applyRecordsMax)
    yield records.slice(at, at + limit.applyRecordsMax);
}
