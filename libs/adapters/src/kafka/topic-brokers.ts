import { isVarveError, VarveError } from '#core/error';
import { type ApiVersions, type Broker, type Cluster, fetchFrom, type FetchQuestion } from './kafka-client.js';
import type { FetchAnswer } from './fetch-codec.js';
import { inTime, untilSettled } from './deadline.js';
import { isKafkaError, rootOf, unavailable } from './kafka-error.js';

/** The brokers say for so long that there is no such topic, and it is gone: a broker that just started may say it too. */
const goneMs = 5_000;

/**
 * The brokers that lead the partitions of one topic, and a way to ask them that survives their changes. What kafkajs
 * throws ends here: as UNAVAILABLE, which passes, or as LOG_TRUNCATED when the topic is gone.
 */
export class TopicBrokers {
  readonly topic: string;
  readonly #cluster: Cluster;
  readonly #addresses: readonly string[];
  #closed = false;
  #unknownSince: number | undefined;

  constructor(cluster: Cluster, addresses: readonly string[], topic: string) {
    this.#cluster = cluster;
    this.#addresses = addresses;
    this.topic = topic;
  }

  /** What one of the brokers speaks. @throws UNAVAILABLE */
  async versions(): Promise<ApiVersions> {
    try {
      await this.#cluster.connect();
      await this.#cluster.refreshMetadata();
      const [nodeId] = this.#cluster.getNodeIds();
      const { versions } = await this.#cluster.findBroker({ nodeId: Number(nodeId) });
      return versions;
    } catch (error) {
      throw unavailable(this.#addresses, error);
    }
  }

  /** @throws UNAVAILABLE */
  async connect(): Promise<void> {
    try {
      await this.#cluster.connect();
      await inTime(untilSettled(() => this.#cluster.addTargetTopic(this.topic)));
    } catch (error) {
      throw unavailable(this.#addresses, error);
    }
  }

  /** What is asked at the moment is waited for, but not for a broker that hangs. */
  async close(): Promise<void> {
    this.#closed = true;
    await inTime(this.#cluster.disconnect()).catch(() => undefined);
  }

  /** The broker that leads the partition, as far as is known. @throws UNAVAILABLE when nobody does */
  leaderOf(partition: number): number {
    if (this.#closed) throw this.#failure(new Error('the log was closed'));
    const known = this.#cluster.findTopicPartitionMetadata(this.topic);
    const leader = known.find(({ partitionId }) => partitionId === partition)?.leader ?? -1;
    if (leader < 0) throw this.#failure(new Error(`partition ${partition} of ${this.topic} has no leader`));
    return leader;
  }

  /**
   * Asks the leader of a partition; when that fails, finds out who leads now and asks once more.
   * @throws UNAVAILABLE, LOG_TRUNCATED when the topic is gone; a VarveError of `ask` goes through
   */
  async askLeader<T>(partition: number, ask: (leader: number) => Promise<T>): Promise<T> {
    try {
      return await inTime(untilSettled(() => this.#askLeaderTwice(partition, ask)));
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async #askLeaderTwice<T>(partition: number, ask: (leader: number) => Promise<T>): Promise<T> {
    try {
      return await ask(this.leaderOf(partition));
    } catch (error) {
      if (this.#closed || (isVarveError(error) && error.code !== 'UNAVAILABLE')) throw error;
      await this.refresh();
      return ask(this.leaderOf(partition));
    }
  }

  /** Where the partitions begin (`earliest`) or where the next record goes (`latest`), asked at their leader. @throws UNAVAILABLE */
  async offsets(
    leader: number,
    partitions: readonly number[],
    which: 'earliest' | 'latest',
  ): Promise<Map<number, number>> {
    const timestamp = which === 'latest' ? -1 : -2;
    const question = {
      isolationLevel: 0,
      topics: [{ topic: this.topic, partitions: partitions.map((partition) => ({ partition, timestamp })) }],
    };
    const { responses } = await this.#ask(leader, (broker) => broker.listOffsets(question));
    const answers = responses.flatMap((response) => response.partitions);
    return new Map(answers.map(({ partition, offset }) => [partition, Number(offset)]));
  }

  /** @throws UNAVAILABLE; errors of single partitions are in the answer */
  async fetch(
    leader: number,
    connection: 'at once' | 'may wait',
    from: ReadonlyMap<number, number>,
    limits: Omit<FetchQuestion, 'topics'> & { readonly partitionBytesMax: number },
  ): Promise<FetchAnswer> {
    const { partitionBytesMax: maxBytes, ...rest } = limits;
    const partitions = Array.from(from, ([partition, fetchOffset]) => ({ partition, fetchOffset, maxBytes }));
    const question = { ...rest, topics: [{ topic: this.topic, partitions }] };
    return this.#ask(leader, (broker) => fetchFrom(broker, connection, question));
  }

  /** Asks the cluster who leads what. @throws UNAVAILABLE, LOG_TRUNCATED when the topic is gone */
  async refresh(): Promise<void> {
    try {
      await this.#cluster.refreshMetadata();
      this.#unknownSince = undefined;
    } catch (error) {
      if (isKafkaError(error, 'UNKNOWN_TOPIC_OR_PARTITION')) this.#checkNotGone();
      throw this.#failure(error);
    }
  }

  async #ask<T>(nodeId: number, ask: (broker: Broker) => Promise<T>): Promise<T> {
    let broker: Broker | undefined;
    try {
      broker = await this.#cluster.findBroker({ nodeId });
      return await ask(broker);
    } catch (error) {
      // A connection that went silent would stay in use: kafkajs waits for its end, which may never be told.
      if (rootOf(error).name === 'KafkaJSRequestTimeoutError') void broker?.disconnect();
      throw this.#failure(error);
    }
  }

  #checkNotGone(): void {
    const now = performance.now();
    this.#unknownSince ??= now;
    if (now - this.#unknownSince < goneMs) return;
    const message = `the topic ${this.topic} is gone from Kafka at ${this.#addresses.join(',')}: restore it, nothing is projected without it`;
    throw new VarveError('LOG_TRUNCATED', message, { topic: this.topic });
  }

  #failure(error: unknown): VarveError {
    return isVarveError(error) ? error : unavailable(this.#addresses, error);
  }
}
