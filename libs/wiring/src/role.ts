import { unreachable } from '#core/error';
import { type AuditLocation, isServer, type Location, shownLocation } from './location.js';

/**
 * What a process is for. `gateway`: the doors, no projector; any number. `projector`: keeps the graph up with the log; a
 * second one is a hot standby. `materializer`: works off jobs and collects garbage; any number. `notary`: keeps and signs the audit trees; a second
 * one is a hot standby. `standalone`: all of it.
 */
export type Role = 'standalone' | 'gateway' | 'projector' | 'materializer' | 'notary';

export interface Locations {
  readonly eventLog: Location;
  readonly graph: Location;
  readonly blobStore: Location;
}

/** Why these three do not go together, or not with the role; one sentence each. */
export function locationMistakes(role: Role, locations: Locations, auditStore: AuditLocation): string[] {
  return [
    ...notShared(role, locations),
    ...tooFewPartitions(locations),
    ...auditElsewhere(role, locations, auditStore),
  ];
}

/** Where a role listens unless it is told: on one machine they stand side by side. */
export function standardPort(role: Role): number {
  switch (role) {
    case 'standalone':
    case 'gateway':
      return 7373;
    case 'projector':
      return 7374;
    case 'materializer':
      return 7375;
    // The one between is that of gRPC.
    case 'notary':
      return 7377;
    default:
      return unreachable(role);
  }
}

/**
 * The stores a role has to do with. A projector never sees a blob; a materializer opens the log only to collect garbage, and
 * its address says how many partitions the graph has.
 */
export function usedBy(role: Role, { eventLog, graph, blobStore }: Locations): Readonly<Partial<Locations>> {
  return role === 'projector' ? { eventLog, graph } : { eventLog, graph, blobStore };
}

const settingOf = { eventLog: 'VARVE_EVENT_LOG', graph: 'VARVE_GRAPH', blobStore: 'VARVE_BLOB_STORE' } as const;
const serverFor = { eventLog: 'kafka:', graph: 'redis:', blobStore: 's3:' } as const;

/** A gateway over a graph of its own would wait for ever for a projector that nobody else can run. */
function notShared(role: Role, locations: Locations): string[] {
  if (role === 'standalone') return [];
  const used = usedBy(role, locations);
  return (Object.keys(settingOf) as (keyof Locations)[]).flatMap((store) => {
    const location = used[store];
    if (!location || isServer(location)) return [];
    const where = location.scheme === 'memory' ? 'memory:' : `${location.scheme}:${shownLocation(location)}`;
    return [
      `${settingOf[store]} is ${where}, which one process has for itself; a ${role} shares it with other processes: set an address with ${serverFor[store]}, or run everything in one process with npm start`,
    ];
  });
}

/** A record's partition is that of its rows, so the graph must have every partition of the log. */
function tooFewPartitions({ eventLog, graph }: Locations): string[] {
  if (eventLog.scheme !== 'kafka' || eventLog.partitionCount === 1 || graph.scheme !== 'sqlite') return [];
  return [
    `VARVE_EVENT_LOG has ${eventLog.partitionCount} partitions, and a graph in SQLite has one; set VARVE_GRAPH to redis:, or ?partitions=1 for a new topic`,
  ];
}

/** Shared trees lie beside a graph in Redis and in a blob store that lasts; who shares the one shares the other. */
function auditElsewhere(role: Role, { graph, blobStore }: Locations, auditStore: AuditLocation): string[] {
  if (role === 'projector' || role === 'materializer') return [];
  if (auditStore.scheme !== 'shared') {
    if (role === 'standalone' || !isServer(graph)) return [];
    const where = auditStore.scheme === 'memory' ? 'memory:' : `sqlite:${auditStore.path}`;
    return [
      `VARVE_AUDIT_STORE is ${where}, which one process has for itself; a ${role} shares it with other processes: set it to shared:, which it is where VARVE_GRAPH is redis:`,
    ];
  }
  if (graph.scheme === 'redis' && blobStore.scheme !== 'memory') return [];
  return [
    'VARVE_AUDIT_STORE is shared:, which takes the Redis of VARVE_GRAPH and a VARVE_BLOB_STORE that lasts; set those to redis: and s3:, or VARVE_AUDIT_STORE to sqlite:FILE',
  ];
}
