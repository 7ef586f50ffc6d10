import { dirname, resolve } from 'node:path';
import { openFilesystemBlobStore } from '#adapters/filesystem/filesystem-blob-store';
import { openMemoryBlobStore } from '#adapters/memory/memory-blob-store';
import { openMemoryEventLog } from '#adapters/memory/memory-event-log';
import { openMemoryGraphStore } from '#adapters/memory/memory-graph-store';
import { openSqliteEventLog } from '#adapters/sqlite/sqlite-event-log';
import { openSqliteGraphStore } from '#adapters/sqlite/sqlite-graph-store';
import type { BlobStore } from '#ports/blob-store';
import type { Clock } from '#ports/clock';
import type { EventLog } from '#ports/event-log';
import type { GraphStore } from '#ports/graph-store';

/** Where one of the three stores is: `path` is absolute, null for what lives in memory. */
export interface Location {
  readonly scheme: Scheme;
  readonly path: string | null;
}

type Scheme = 'sqlite' | 'file' | 'memory';
type Port = 'event log' | 'graph' | 'blob store';

/** The schemes of each port that this build has an adapter for, and those that are known and not here. */
const schemes: Readonly<Record<Port, { readonly here: readonly Scheme[]; readonly later: string }>> = {
  'event log': { here: ['sqlite', 'memory'], later: 'kafka' },
  graph: { here: ['sqlite', 'memory'], later: 'redis' },
  'blob store': { here: ['file', 'memory'], later: 's3' },
};

/** Reads `scheme:path`. Throws a plain error that says what was expected; `loadConfig` gathers them. */
export function parseLocation(port: Port, text: string): Location {
  const [, name = '', rest = ''] = /^([a-z0-9]+):(.*)$/s.exec(text) ?? [];
  const { here, later } = schemes[port];
  const expected = here.map((scheme) => (scheme === 'memory' ? 'memory:' : `${scheme}:PATH`)).join(' or ');
  if (name === later) throw new Error(`${later}: is not in this build; expected ${expected}`);
  const scheme = here.find((known) => known === name);
  if (!scheme) throw new Error(`expected ${expected}`);
  if (scheme !== 'memory') {
    if (rest === '') throw new Error(`has no path; expected ${expected}`);
    return Object.freeze({ scheme, path: resolve(rest) });
  }
  if (rest !== '') throw new Error('memory: takes no path');
  return Object.freeze({ scheme, path: null });
}

/** The folders that must belong to this process alone. */
export function foldersOf(locations: readonly Location[]): string[] {
  const folders = locations.flatMap(({ scheme, path }) => {
    if (path === null) return [];
    return [scheme === 'sqlite' ? dirname(path) : path];
  });
  return [...new Set(folders)].toSorted();
}

export function openEventLog({ path }: Location, clock: Clock): EventLog {
  return path === null ? openMemoryEventLog(clock) : openSqliteEventLog(path, clock);
}

export function openGraph({ path }: Location): GraphStore {
  return path === null ? openMemoryGraphStore() : openSqliteGraphStore(path);
}

export async function openBlobStore({ path }: Location): Promise<BlobStore> {
  return path === null ? openMemoryBlobStore() : openFilesystemBlobStore(path);
}
