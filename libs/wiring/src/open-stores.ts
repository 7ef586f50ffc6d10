import { openFilesystemBlobStore } from '#adapters/filesystem/filesystem-blob-store';
import { openMemoryBlobStore } from '#adapters/memory/memory-blob-store';
import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { openSqliteEventLog } from '#adapters/sqlite/sqlite-event-log';
import { openSqliteGraphStore } from '#adapters/sqlite/sqlite-graph-store';
import { unreachable, VarveError } from '#core/error';
import type { BlobStore } from '#ports/blob-store';
import type { EventLog } from '#ports/event-log';
import type { GraphStore } from '#ports/graph-store';
import type { BlobStoreLocation, EventLogLocation, GraphLocation } from './location.js';
import { systemClock } from './system-clock.js';

/** Which technology stands behind a port is one line here. @throws CONFIG_INVALID, CORRUPT, UNAVAILABLE */
export async function openEventLog(location: EventLogLocation): Promise<EventLog> {
  switch (location.scheme) {
    case 'memory':
      return openMemoryEventLog(systemClock);
    case 'sqlite':
      return openSqliteEventLog(location.path, systemClock);
    case 'kafka':
      throw notHere(location.scheme);
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
    case 'redis':
      throw notHere(location.scheme);
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
    case 's3':
      throw notHere(location.scheme);
    default:
      return unreachable(location);
  }
}

function notHere(scheme: string): VarveError {
  return new VarveError('CONFIG_INVALID', `this build has no adapter for ${scheme}:`, { scheme });
}
