import type { Redis } from 'ioredis';
import type { OutcomeRow } from '#core/graph-row';
import type { AppliedNotice, GraphBatch } from '#ports/graph-store';
import type { GraphKeys } from './graph-keys.js';
import type { Notice } from './graph-server.js';
import { connectRedis, type RedisAddress } from './redis-connection.js';

/** A batch as other processes are told of it. */
interface SentNotice extends AppliedNotice {
  /** Who applied it and has told its own listeners. */
  readonly from: string;
}

/**
 * What other processes tell of the graph: batches that they applied, and generations that they put in its place. What is
 * told while the connection is away is not heard.
 */
export class AppliedChannel {
  readonly #client: Redis;
  readonly #keys: GraphKeys;
  readonly #self: string;

  private constructor(client: Redis, keys: GraphKeys, self: string) {
    this.#client = client;
    this.#keys = keys;
    this.#self = self;
  }

  /** `self` is the name of this store among all; what it sends itself it does not hear. */
  static async open(
    address: RedisAddress,
    { keys, self }: { readonly keys: GraphKeys; readonly self: string },
    heard: { readonly applied: (notice: AppliedNotice) => void; readonly promoted: () => void },
  ): Promise<AppliedChannel> {
    const client = await connectRedis(address, 'notices');
    const channel = new AppliedChannel(client, keys, self);
    client.on('message', (name: string, text: string) => {
      if (name === keys.promotedChannel) heard.promoted();
      else channel.#hear(text, heard.applied);
    });
    const partitions = Array.from({ length: keys.partitionCount }, (_, partition) => keys.appliedChannel(partition));
    await client.subscribe(keys.promotedChannel, ...partitions);
    return channel;
  }

  /** What others are told of a batch. */
  noticeOf(partition: number, { offset, changes }: GraphBatch): Notice {
    const outcomes = changes.flatMap((change): OutcomeRow[] => (change.type === 'outcome' ? [change.after] : []));
    const sent: SentNotice = { from: this.#self, partition, offset, outcomes };
    return { channel: this.#keys.appliedChannel(partition), text: JSON.stringify(sent) };
  }

  close(): void {
    this.#client.disconnect();
  }

  #hear(text: string, applied: (notice: AppliedNotice) => void): void {
    const { from, partition, offset, outcomes } = JSON.parse(text) as SentNotice;
    if (from !== this.#self) applied({ partition, offset, outcomes });
  }
}
