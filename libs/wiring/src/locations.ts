import { dirname, resolve } from 'node:path';
import type { AuditLocation, BlobStoreLocation, EventLogLocation, GraphLocation, Location } from './location.js';
import { parseKafka, parseRedis, parseS3, serverAddress } from './server-address.js';

/** Reads the address of the event log. Throws a plain error that says what was expected; `loadConfig` gathers them. */
export function parseEventLogLocation(text: string): EventLogLocation {
  const { scheme, rest } = split(text);
  if (scheme === 'kafka') return parseKafka(text);
  if (scheme === 'sqlite') return { scheme, path: pathIn(scheme, rest) };
  if (scheme === 'memory') return memory(rest);
  throw new Error(`expected sqlite:PATH, ${serverAddress.kafka} or memory:`);
}

/** The same for the graph. */
export function parseGraphLocation(text: string): GraphLocation {
  const { scheme, rest } = split(text);
  if (scheme === 'redis' || scheme === 'rediss') return parseRedis(text);
  if (scheme === 'sqlite') return { scheme, path: pathIn(scheme, rest) };
  if (scheme === 'memory') return memory(rest);
  throw new Error(`expected sqlite:PATH, ${serverAddress.redis} or memory:`);
}

/** The same for the blob store; `environment` has the credentials of S3. */
export function parseBlobStoreLocation(
  text: string,
  environment: Readonly<Record<string, string | undefined>>,
): BlobStoreLocation {
  const { scheme, rest } = split(text);
  if (scheme === 's3') return parseS3(text, environment);
  if (scheme === 'file') return { scheme, path: pathIn(scheme, rest) };
  if (scheme === 'memory') return memory(rest);
  throw new Error(`expected file:PATH, ${serverAddress.s3} or memory:`);
}

/** The same for the audit trees. */
export function parseAuditLocation(text: string): AuditLocation {
  const { scheme, rest } = split(text);
  if (scheme === 'sqlite') return { scheme, path: pathIn(scheme, rest) };
  if (scheme === 'memory') return memory(rest);
  if (scheme === 'shared' && rest === '') return { scheme };
  throw new Error('expected sqlite:PATH, shared: or memory:');
}

/** The folders that must belong to this process alone. */
export function foldersOf(locations: readonly (Location | AuditLocation)[]): string[] {
  const folders = locations.flatMap((location) => {
    if (location.scheme === 'sqlite') return [dirname(location.path)];
    return location.scheme === 'file' ? [location.path] : [];
  });
  return [...new Set(folders)].toSorted();
}

/** How many partitions the log at an address has, for those who only read the graph that is made from it. */
export function partitionsOf(location: EventLogLocation): { readonly partitionCount: number } {
  return { partitionCount: location.scheme === 'kafka' ? location.partitionCount : 1 };
}

function split(text: string): { readonly scheme: string; readonly rest: string } {
  const [, scheme = '', rest = ''] = /^([a-z0-9]+):(.*)$/s.exec(text) ?? [];
  return { scheme, rest };
}

function pathIn(scheme: string, rest: string): string {
  if (rest === '') throw new Error(`has no path; expected ${scheme}:PATH`);
  return resolve(rest);
}

function memory(rest: string): { readonly scheme: 'memory' } {
  if (rest !== '') throw new Error('memory: takes no path');
  return { scheme: 'memory' };
}
