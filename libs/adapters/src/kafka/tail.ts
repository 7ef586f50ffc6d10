import type { LogRecord } from '#core/event';
import type { FetchAnswer } from './fetch-codec.js';
import { recordsFrom } from './partition-fetch.js';
import type { TopicBrokers } from './topic-brokers.js';

/** A broker keeps a fetch this long when nothing is new; a follower that joins meanwhile waits for it to end. */
const maxWaitMs = 250;
const partitionBytesMax = 1 << 20;
const answerBytesMax = 16 << 20;
/** Who has this much before them is not asked for more. */
const aheadBytesMax = 1 << 20;

/**
 * What is appended, as it comes: one waiting fetch at each broker for all partitions that somebody follows and has room
 * for. A broker answers it as soon as one of them has something new.
 */
export class Tail {
  readonly #brokers: TopicBrokers;
  readonly #followers = new Set<Follower>();
  readonly #fetching = new Set<number>();
  #turn = 0;

  constructor(brokers: TopicBrokers) {
    this.#brokers = brokers;
  }

  /**
   * Records from `from` on, which must be near the end, until the signal.
   * @throws UNAVAILABLE, LOG_TRUNCATED, CORRUPT
   */
  async *follow(partition: number, from: number, signal: AbortSignal): AsyncGenerator<readonly LogRecord[]> {
    const follower = new Follower(partition, from);
    const onAbort = () => follower.wake();
    signal.addEventListener('abort', onAbort, { once: true });
    this.#followers.add(follower);
    try {
      while (!signal.aborted) {
        const records = follower.take();
        this.#fetchWhereWanted();
        if (records.length > 0) yield records;
        else await follower.more();
      }
    } finally {
      this.#followers.delete(follower);
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** One loop at each broker that leads what somebody has room for. Asked again whenever that may have changed. */
  #fetchWhereWanted(): void {
    for (const follower of this.#followers) {
      const leader = follower.hasRoom ? this.#leaderFor(follower) : undefined;
      if (leader === undefined || this.#fetching.has(leader)) continue;
      this.#fetching.add(leader);
      void this.#fetchAt(leader);
    }
  }

  async #fetchAt(leader: number): Promise<void> {
    let from = this.#wantedAt(leader);
    try {
      for (; from.size > 0; from = this.#wantedAt(leader)) {
        const limits = { maxWaitTime: maxWaitMs, minBytes: 1, maxBytes: answerBytesMax, partitionBytesMax };
        await this.#give(leader, from, await this.#brokers.fetch(leader, 'may wait', from, limits));
        // A partition may have moved to a broker at which nothing is fetched yet.
        this.#fetchWhereWanted();
      }
    } catch (error) {
      for (const follower of this.#followers) if (from.has(follower.partition)) follower.fail(error);
    }
    this.#fetching.delete(leader);
    // Who came while this one failed waits for the next.
    this.#fetchWhereWanted();
  }

  /** By partition, where the follower stands that is furthest behind. A broker fills its answer in this order. */
  #wantedAt(leader: number): Map<number, number> {
    const from = new Map<number, number>();
    for (const follower of this.#followers) {
      const { partition, next } = follower;
      if (!follower.hasRoom || this.#leaderFor(follower) !== leader) continue;
      from.set(partition, Math.min(next, from.get(partition) ?? next));
    }
    const entries = [...from];
    this.#turn = (this.#turn + 1) % Math.max(1, entries.length);
    return new Map([...entries.slice(this.#turn), ...entries.slice(0, this.#turn)]);
  }

  #leaderFor(follower: Follower): number | undefined {
    try {
      return this.#brokers.leaderOf(follower.partition);
    } catch (error) {
      follower.fail(error);
      return undefined;
    }
  }

  async #give(leader: number, from: ReadonlyMap<number, number>, { partitions }: FetchAnswer): Promise<void> {
    for (const fetched of partitions) {
      const followers = [...this.#followers].filter(({ partition }) => partition === fetched.partition);
      try {
        const records = await recordsFrom(this.#brokers, leader, from.get(fetched.partition) as number, fetched);
        for (const follower of followers) follower.give(records);
      } catch (error) {
        for (const follower of followers) follower.fail(error);
      }
    }
  }
}

/** One who follows a partition, and what was fetched ahead of them. */
class Follower {
  readonly partition: number;
  next: number;
  #ahead: LogRecord[] = [];
  #aheadBytes = 0;
  #failure: { readonly error: unknown } | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(partition: number, next: number) {
    this.partition = partition;
    this.next = next;
  }

  get hasRoom(): boolean {
    return this.#aheadBytes < aheadBytesMax && !this.#failure;
  }

  /** Takes what follows for this one out of records that are contiguous and may begin earlier. */
  give(records: readonly LogRecord[]): void {
    for (const record of records) {
      if (record.offset !== this.next) continue;
      this.next += 1;
      this.#ahead.push(record);
      this.#aheadBytes += record.bytes.length;
    }
    if (this.#ahead.length > 0) this.wake();
  }

  fail(error: unknown): void {
    this.#failure = { error };
    this.wake();
  }

  /** @throws what this failed with, once what came before was taken */
  take(): readonly LogRecord[] {
    const records = this.#ahead;
    if (records.length === 0 && this.#failure) throw this.#failure.error;
    this.#ahead = [];
    this.#aheadBytes = 0;
    return records;
  }

  /** Settles when there is something to take, or at the next `wake`. */
  async more(): Promise<void> {
    if (this.#failure || this.#ahead.length > 0) return;
    this.#waiting ??= Promise.withResolvers();
    await this.#waiting.promise;
  }

  wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}
