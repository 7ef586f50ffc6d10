import { dirname, join } from 'node:path';
import { openFilesystemBlobStore } from '#adapters/filesystem/filesystem-blob-store';
import { openMemoryBlobStore } from '#adapters/memory/memory-blob-store';
import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { openMemoryJobQueue } from '#adapters/memory/memory-job-queue';
import type { RedisAddress } from '#adapters/redis/redis-connection';
import type { S3Options } from '#adapters/s3/s3-options';
import { openSqliteEventLog } from '#adapters/sqlite/sqlite-event-log';
import { openSqliteGraphStore } from '#adapters/sqlite/sqlite-graph-store';
import { openSqliteJobQueue } from '#adapters/sqlite/sqlite-job-queue';
import { unreachable } from '#core/error';
import type { BlobStore } from '#ports/blob-store';
import type { EventLog } from '#ports/event-log';
import type { GraphStore } from '#ports/graph-store';
import type { JobQueue } from '#ports/job-queue';
import type { BlobStoreLocation, EventLogLocation, GraphLocation, RedisLocation, S3Location } from './location.js';
import { systemClock } from './system-clock.js';

/**
 * Which technology stands behind a port is one line here. The clients of servers are loaded by those who have a server:
 * they take 30 MiB and a tenth of a second. @throws CONFIG_INVALID, CORRUPT, UNAVAILABLE
 */
export async function openEventLog(location: EventLogLocation): Promise<EventLog> {
  switch (location.scheme) {
    case 'memory':
      return openMemoryEventLog(systemClock);
    case 'sqlite':
      return openSqliteEventLog(location.path, systemClock);
    case 'kafka': {
      const { openKafkaEventLog } = await import('#adapters/kafka/kafka-event-log');
      const { brokers, topic, partitionCount: partitions, replication } = location;
      return openKafkaEventLog({ brokers, topic, partitions, ...(replication !== null && { replication }) });
    }
    default:
      return unreachable(location);
  }
}

/** `log` says how many partitions the graph has. @throws CONFIG_INVALID, CORRUPT, UNAVAILABLE */
export async function openGraph(
  location: GraphLocation,
  { partitionCount }: { partitionCount: number },
): Promise<GraphStore> {
  switch (location.scheme) {
    case 'memory':
      return openMemoryGraphStore(partitionCount);
    case 'sqlite':
      return openSqliteGraphStore(location.path);
    case 'redis': {
      const { openRedisGraphStore } = await import('#adapters/redis/redis-graph-store');
      return openRedisGraphStore({ ...redisAddress(location), partitionCount, prefix: `${location.prefix}:` });
    }
    default:
      return unreachable(location);
  }
}

/** Jobs are kept where the graph is, and no part of it: a rebuild does not touch them. @throws CORRUPT, UNAVAILABLE */
export async function openJobQueue(location: GraphLocation): Promise<JobQueue> {
  const options = { clock: systemClock };
  switch (location.scheme) {
    case 'memory':
      return openMemoryJobQueue(options);
    case 'sqlite':
      return openSqliteJobQueue(join(dirname(location.path), 'jobs.db'), options);
    case 'redis': {
      const { openRedisJobQueue } = await import('#adapters/redis/redis-job-queue');
      return openRedisJobQueue({ ...redisAddress(location), ...options, prefix: `${location.prefix}:` });
    }
    default:
      return unreachable(location);
  }
}

/** @throws CONFIG_INVALID, UNAVAILABLE */
export async function openBlobStore(location: BlobStoreLocation): Promise<BlobStore> {
  switch (location.scheme) {
    case 'memory':
      return openMemoryBlobStore();
    case 'file':
      return openFilesystemBlobStore(location.path);
    case 's3': {
      const { openS3BlobStore } = await import('#adapters/s3/s3-blob-store');
      return openS3BlobStore(s3Options(location));
    }
    default:
      return unreachable(location);
  }
}

/** Of the graph and of the job queue beside it. */
export function redisAddress({ host, port, isTls, username, password, database }: RedisLocation): RedisAddress {
  return {
    host,
    port,
    db: database,
    tls: isTls,
    ...(username !== null && { username }),
    ...(password && { password: password.reveal() }),
  };
}

function s3Options({ publicEndpoint, sweepAfterHours, credentials, ...location }: S3Location): S3Options {
  const { endpoint, bucket, prefix, region } = location;
  const { accessKey, secretKey, sessionToken } = credentials;
  return {
    endpoint,
    bucket,
    prefix,
    region,
    accessKey,
    secretKey: secretKey.reveal(),
    ...(sessionToken && { sessionToken: sessionToken.reveal() }),
    ...(publicEndpoint !== null && { publicEndpoint }),
    sweepAfterMs: sweepAfterHours * 3_600_000,
  };
}
