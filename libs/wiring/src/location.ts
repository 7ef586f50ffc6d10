import { unreachable } from '#core/error';

/**
 * Where a store is. What a process reaches through its own files belongs to that process alone; servers are shared.
 * `path` is absolute.
 */
export type Location = EventLogLocation | GraphLocation | BlobStoreLocation;

export type EventLogLocation = MemoryLocation | SqliteLocation | KafkaLocation;
export type GraphLocation = MemoryLocation | SqliteLocation | RedisLocation;
export type BlobStoreLocation = MemoryLocation | FileLocation | S3Location;

export type AuditLocation = MemoryLocation | SqliteLocation | BesideGraphLocation;

export interface MemoryLocation {
  readonly scheme: 'memory';
}

/** In the Redis of the graph and in the blob store, for all processes. */
export interface BesideGraphLocation {
  readonly scheme: 'shared';
}

export interface SqliteLocation {
  readonly scheme: 'sqlite';
  readonly path: string;
}

export interface FileLocation {
  readonly scheme: 'file';
  readonly path: string;
}

export interface KafkaLocation {
  readonly scheme: 'kafka';
  /** `host:port`, at least one. */
  readonly brokers: readonly string[];
  readonly topic: string;
  /** What the topic must have, and is made with. */
  readonly partitionCount: number;
  /** Copies of each record in a topic that is made; null: three, or as many as there are brokers. */
  readonly replication: number | null;
}

export interface RedisLocation {
  readonly scheme: 'redis';
  readonly host: string;
  readonly port: number;
  /** `rediss:` */
  readonly isTls: boolean;
  readonly username: string | null;
  readonly password: Secret | null;
  readonly database: number;
  /** Before every key, so that several graphs may share a server. */
  readonly prefix: string;
}

export interface S3Location {
  readonly scheme: 's3';
  readonly bucket: string;
  /** Before every key: `a/b`, without a slash at either end; '' for none. */
  readonly prefix: string;
  /** `http://host:port`, without a path. */
  readonly endpoint: string;
  /** The endpoint as those reach it who get a presigned URL; null for the same. */
  readonly publicEndpoint: string | null;
  readonly region: string;
  /** An upload that nobody has touched for so long is removed. */
  readonly sweepAfterHours: number;
  readonly credentials: S3Credentials;
}

export interface S3Credentials {
  readonly accessKey: string;
  readonly secretKey: Secret;
  readonly sessionToken: Secret | null;
}

/** A text that is shown nowhere: not by a message, a log line, JSON or an inspection. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return '***';
  }

  toJSON(): string {
    return '***';
  }
}

/** Whether several processes may work on the store at once. */
export function isServer({ scheme }: Location): boolean {
  return scheme === 'kafka' || scheme === 'redis' || scheme === 's3';
}

/** The address for people, without its secrets. */
export function shownLocation(location: Location): string {
  switch (location.scheme) {
    case 'memory':
      return 'in memory, forgotten at the end';
    case 'sqlite':
    case 'file':
      return location.path;
    case 'kafka':
      return `kafka://${location.brokers.join()}/${location.topic}`;
    case 'redis':
      return `redis://${location.host}:${location.port}/${location.database}?prefix=${location.prefix}`;
    case 's3':
      return `s3://${[location.bucket, location.prefix].filter(Boolean).join('/')} at ${new URL(location.endpoint).host}`;
    default:
      return unreachable(location);
  }
}
