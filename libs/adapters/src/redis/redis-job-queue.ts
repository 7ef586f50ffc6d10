import type { JobQueue } from '#ports/job-queue';
import { LeaseQueue, type LeaseQueueOptions } from '../lease-queue.js';
import { connectRedis, placeOf, type RedisAddress } from './redis-connection.js';
import { redisError } from './redis-error.js';
import { defineJobScripts, RedisJobTable } from './redis-job-table.js';
import { ServerClock } from './server-clock.js';

export interface RedisJobQueueOptions extends RedisAddress, LeaseQueueOptions {
  /** Before every key; that of the graph, so that both go together. */
  readonly prefix: string;
  /** Leases go by the server's time; false: by `clock`, for those who have time in their hand. */
  readonly isServerTimed?: boolean;
}

/**
 * The queue in Redis, for any number of processes. All of it lies in one slot and outside the generations of the graph: a
 * rebuild does not touch it. @throws CONFIG_INVALID, UNAVAILABLE; what was opened is closed
 */
export async function openRedisJobQueue(options: RedisJobQueueOptions): Promise<JobQueue> {
  const { prefix, isServerTimed = true, ...rest } = options;
  const opened = new AsyncDisposableStack();
  try {
    const client = defineJobScripts(await connectRedis(options, 'commands'));
    opened.defer(() => client.disconnect());
    const notices = await connectRedis(options, 'notices');
    opened.defer(() => notices.disconnect());
    const table = new RedisJobTable({ client, notices, start: `${prefix}{jobs}:`, place: placeOf(options), opened });
    await table.listen();
    if (!isServerTimed) return new LeaseQueue(table, rest);
    const clock = await ServerClock.of(client, rest.clock);
    opened.defer(() => clock.stop());
    return new LeaseQueue(table, { ...rest, clock });
  } catch (error) {
    await opened.disposeAsync();
    throw redisError(error, placeOf(options));
  }
}
