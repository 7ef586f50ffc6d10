import { resolve } from 'node:path';
import { VarveError } from '#core/error';
import type { AuditLocation, BlobStoreLocation, EventLogLocation, GraphLocation } from './location.js';
import { parseAuditLocation, parseBlobStoreLocation, parseEventLogLocation, parseGraphLocation } from './locations.js';
import { locationMistakes, type Role, standardPort } from './role.js';

/** What the server is told from outside, parsed once. */
export interface Config {
  readonly listen: ListenAddress;
  /** Null: there is no gRPC door. */
  readonly grpcListen: ListenAddress | null;
  readonly eventLog: EventLogLocation;
  readonly graph: GraphLocation;
  readonly blobStore: BlobStoreLocation;
  readonly logLevel: LogLevel;
  /** Bytes of merged trees and their plans that are kept in memory. */
  readonly treeCacheBytes: number;
  /** Bytes of precomputed tarballs that are kept; those longest unused go first. */
  readonly tarballBudgetBytes: number;
  /** How often garbage is collected; 0: only when it is asked for. */
  readonly gcMs: number;
  /** How old a stored copy must be before it may be taken for garbage. */
  readonly gcGraceMs: number;
  /** Where the audit trees are: with this process alone, or shared. */
  readonly auditStore: AuditLocation;
  /** The file of the key that signs checkpoints; made when it is not there. Of no use for trees in memory. */
  readonly auditKey: string;
  /** How often a checkpoint is signed, where something is new. */
  readonly auditMs: number;
  /** How long work in flight may take to end when the process is told to. */
  readonly shutdownMs: number;
  /** How long a projector, a materializer or a notary that cannot go on stays up and says so before it ends. */
  readonly haltMs: number;
}

/** The injection token of it. */
export const CONFIG = Symbol('config');

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export type LogLevel = (typeof logLevels)[number];
const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

interface Setting {
  /** As one would write it; `$VARVE_DATA` stands for the data folder. */
  readonly standard: string;
  readonly meaning: string;
}

/** Every variable of the server, its default and what it is for; `docs/reference/config.md` says the same. */
export const settings = {
  VARVE_LISTEN: {
    standard: '127.0.0.1:7373',
    meaning:
      'Address to listen on: HOST:PORT, [IPV6]:PORT or a port on loopback; port 0 takes any free one. A projector takes port 7374, a materializer 7375 and a notary 7377 unless told',
  },
  VARVE_GRPC_LISTEN: {
    standard: 'VARVE_LISTEN, its port + 3',
    meaning: 'The same for gRPC, HTTP/2 without TLS; off: no gRPC. A free port when VARVE_LISTEN has port 0',
  },
  VARVE_DATA: { standard: './data', meaning: 'Folder that the three addresses below are in unless they are given' },
  VARVE_EVENT_LOG: {
    standard: 'sqlite:$VARVE_DATA/log.db',
    meaning: 'The event log: sqlite:FILE, kafka://HOST:PORT[,HOST:PORT]/TOPIC[?partitions=N&replication=N] or memory:',
  },
  VARVE_GRAPH: {
    standard: 'sqlite:$VARVE_DATA/graph.db',
    meaning: 'The graph: sqlite:FILE, redis[s]://[USER:PASSWORD@]HOST[:PORT][/DATABASE][?prefix=TEXT] or memory:',
  },
  VARVE_BLOB_STORE: {
    standard: 'file:$VARVE_DATA',
    meaning:
      'The blob store: file:FOLDER, s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME&public=URL&sweep=HOURS] or memory:',
  },
  VARVE_LOG_LEVEL: { standard: 'info', meaning: `What is logged to standard error: ${logLevels.join(', ')}` },
  VARVE_TREE_CACHE_MIB: { standard: '96', meaning: 'MiB of merged trees that are kept in memory, 16 to 65536' },
  VARVE_TARBALL_BUDGET_MIB: {
    standard: '10240',
    meaning: 'MiB of precomputed tarballs that are kept, the longest unused go first, 0 to 999999999',
  },
  VARVE_GC_HOURS: {
    standard: '24',
    meaning:
      'How often stored blobs that nothing names are removed, 0 to 8760; 0: only by varve gc. A standalone process or a materializer does it',
  },
  VARVE_GC_GRACE_HOURS: {
    standard: '24',
    meaning: 'How old a stored copy must be before it may be removed so, 0 to 8760',
  },
  VARVE_AUDIT_STORE: {
    standard: 'sqlite:$VARVE_DATA/audit.db',
    meaning:
      'The audit trees and their signed checkpoints: sqlite:FILE, shared: (in the Redis of VARVE_GRAPH and in VARVE_BLOB_STORE, for all processes) or memory:; shared: where the graph is redis:, memory: where the event log is',
  },
  VARVE_AUDIT_KEY: {
    standard: '$VARVE_DATA/audit.key',
    meaning: 'The file of the key that signs checkpoints, made with mode 0600 when it is not there; keep a copy',
  },
  VARVE_AUDIT_SECONDS: {
    standard: '10',
    meaning: 'How often a checkpoint is signed, where something is new, 1 to 3600',
  },
  VARVE_SHUTDOWN_SECONDS: { standard: '20', meaning: 'How long work in flight may take to end, 0 to 3600' },
  VARVE_HALT_SECONDS: {
    standard: '30',
    meaning:
      'How long a projector, materializer or notary that cannot go on stays up and says so before it ends, 0 to 3600',
  },
} as const satisfies Record<string, Setting>;

type SettingName = keyof typeof settings;
const prefix = 'VARVE_';
/** Variables of the command line, of the tests and of their servers, which may stand in the same environment. */
const othersNames = new Set(['VARVE_SERVER', 'VARVE_REPO', 'VARVE_ACTOR', 'VARVE_DEBUG']);
const othersPrefixes = ['VARVE_TEST_', 'VARVE_SERVICES_'];

/**
 * Reads the configuration and freezes it. An empty variable counts as one that is not set.
 * @throws CONFIG_INVALID naming every mistake, and no secret, in one message
 */
export function loadConfig(
  environment: Readonly<Record<string, string | undefined>>,
  role: Role = 'standalone',
): Config {
  const mistakes: string[] = unknownNames(environment);
  const read = <Value>(name: SettingName, parse: (text: string) => Value): Value | undefined => {
    const text = textOf(environment, name, role);
    try {
      return parse(text);
    } catch (error) {
      mistakes.push(`${name}="${withoutSecrets(text)}": ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  };
  const config = {
    listen: read('VARVE_LISTEN', parseListen),
    grpcListen: read('VARVE_GRPC_LISTEN', (text) => (text === 'off' ? null : parseListen(text))),
    eventLog: read('VARVE_EVENT_LOG', (text) => Object.freeze(parseEventLogLocation(text))),
    graph: read('VARVE_GRAPH', (text) => Object.freeze(parseGraphLocation(text))),
    blobStore: read('VARVE_BLOB_STORE', (text) => Object.freeze(parseBlobStoreLocation(text, environment))),
    logLevel: read('VARVE_LOG_LEVEL', parseLogLevel),
    treeCacheBytes: read('VARVE_TREE_CACHE_MIB', (text) => parseWhole(text, 16, 65_536) * 2 ** 20),
    tarballBudgetBytes: read('VARVE_TARBALL_BUDGET_MIB', (text) => parseWhole(text, 0, 999_999_999) * 2 ** 20),
    gcMs: read('VARVE_GC_HOURS', (text) => parseWhole(text, 0, 8_760) * 3_600_000),
    gcGraceMs: read('VARVE_GC_GRACE_HOURS', (text) => parseWhole(text, 0, 8_760) * 3_600_000),
    auditStore: read('VARVE_AUDIT_STORE', (text) => Object.freeze(parseAuditLocation(text))),
    auditKey: read('VARVE_AUDIT_KEY', (text) => resolve(text)),
    auditMs: read('VARVE_AUDIT_SECONDS', (text) => parseWhole(text, 1, 3_600) * 1_000),
    shutdownMs: read('VARVE_SHUTDOWN_SECONDS', (text) => parseWhole(text, 0, 3_600) * 1_000),
    haltMs: read('VARVE_HALT_SECONDS', (text) => parseWhole(text, 0, 3_600) * 1_000),
  };
  const { eventLog, graph, blobStore, auditStore } = config;
  if (eventLog && graph && blobStore && auditStore)
    mistakes.push(...locationMistakes(role, { eventLog, graph, blobStore }, auditStore));
  if (mistakes.length > 0) {
    const message = `the configuration has ${mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`}:\n  ${mistakes.join('\n  ')}`;
    throw new VarveError('CONFIG_INVALID', message, { mistakes });
  }
  // Without a mistake every field has its value.
  return Object.freeze(config as { [Name in keyof typeof config]: Exclude<(typeof config)[Name], undefined> });
}

/** What stands before an `@`, and what a parameter says that sounds like a secret. */
function withoutSecrets(text: string): string {
  return text.replace(/\/\/.*@/s, '//***@').replace(/([?&][^=&]*(?:pass|secret|token|key)[^=&]*=)[^&]*/gi, '$1***');
}

function unknownNames(environment: Readonly<Record<string, string | undefined>>): string[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith(prefix) && !(name in settings))
    .filter((name) => !othersNames.has(name) && !othersPrefixes.some((others) => name.startsWith(others)))
    .toSorted()
    .map((name) => `${name} is not a setting; there are ${Object.keys(settings).join(', ')}`);
}

function textOf(environment: Readonly<Record<string, string | undefined>>, name: SettingName, role: Role): string {
  const given = environment[name];
  if (given !== undefined && given !== '') return given;
  if (name === 'VARVE_LISTEN') return `127.0.0.1:${standardPort(role)}`;
  if (name === 'VARVE_GRPC_LISTEN') return besides(textOf(environment, 'VARVE_LISTEN', role));
  if (name === 'VARVE_AUDIT_STORE' && environment['VARVE_EVENT_LOG']?.startsWith('memory:')) return 'memory:';
  if (name === 'VARVE_AUDIT_STORE' && isShared(environment)) return 'shared:';
  const dataFolder = resolve(environment['VARVE_DATA'] || settings.VARVE_DATA.standard);
  return settings[name].standard.replace('$VARVE_DATA', dataFolder);
}

/** Whether audit trees can lie where other processes reach them. */
function isShared({ VARVE_GRAPH, VARVE_BLOB_STORE }: Readonly<Record<string, string | undefined>>): boolean {
  return /^rediss?:/.test(VARVE_GRAPH ?? '') && !VARVE_BLOB_STORE?.startsWith('memory:');
}

/** The two ports between are those of a projector and a materializer on the same machine. */
const grpcPortsAbove = 3;

/** The gRPC door's address next to that of the REST door; none next to one that is told to be wrong. */
function besides(listen: string): string {
  const [, host = '', port = ''] = /^(.*?)(\d{1,5})$/.exec(listen) ?? [];
  const number = Number(port) === 0 ? 0 : Number(port) + grpcPortsAbove;
  return port === '' || Number(port) > 65_535 ? 'off' : `${host}${number}`;
}

function parseListen(text: string): ListenAddress {
  const match = /^(?:(\[[0-9a-fA-F:.%a-z]+\]|[^:[\]\s/]+):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (!match || port > 65_535) throw new Error('expected HOST:PORT, [IPV6]:PORT or PORT');
  return Object.freeze({ host: match[1]?.replace(/^\[|\]$/g, '') ?? '127.0.0.1', port });
}

function parseLogLevel(text: string): LogLevel {
  const level = logLevels.find((known) => known === text);
  if (level) return level;
  throw new Error(`expected one of ${logLevels.join(', ')}`);
}

function parseWhole(text: string, min: number, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new Error(`expected a whole number from ${min} to ${max}`);
}
