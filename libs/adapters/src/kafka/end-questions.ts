import type { TopicBrokers } from './topic-brokers.js';

/**
 * Asks where partitions end, one question at a time to each broker: those who ask meanwhile share the next one. An
 * answer is never older than its question.
 */
export class EndQuestions {
  readonly #brokers: TopicBrokers;
  readonly #waiting = new Map<number, Map<number, PromiseWithResolvers<number>>>();
  readonly #asked = new Set<number>();

  constructor(brokers: TopicBrokers) {
    this.#brokers = brokers;
  }

  /** The offset the next record will get. @throws UNAVAILABLE, LOG_TRUNCATED when the topic is gone */
  end(partition: number): Promise<number> {
    return this.#brokers.askLeader(partition, (leader) => this.#askAt(leader, partition));
  }

  #askAt(leader: number, partition: number): Promise<number> {
    let waiting = this.#waiting.get(leader);
    if (!waiting) this.#waiting.set(leader, (waiting = new Map()));
    let answer = waiting.get(partition);
    if (!answer) waiting.set(partition, (answer = Promise.withResolvers()));
    if (!this.#asked.has(leader)) {
      this.#asked.add(leader);
      void this.#askAll(leader);
    }
    return answer.promise;
  }

  async #askAll(leader: number): Promise<void> {
    for (let waiting = this.#take(leader); waiting; waiting = this.#take(leader)) {
      try {
        const ends = await this.#brokers.offsets(leader, [...waiting.keys()], 'latest');
        for (const [partition, answer] of waiting) answer.resolve(ends.get(partition) as number);
      } catch (error) {
        for (const answer of waiting.values()) answer.reject(error);
      }
    }
    this.#asked.delete(leader);
  }

  #take(leader: number): Map<number, PromiseWithResolvers<number>> | undefined {
    const waiting = this.#waiting.get(leader);
    this.#waiting.delete(leader);
    return waiting;
  }
}
