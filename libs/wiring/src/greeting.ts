import { shownLocation } from './location.js';
import type { Config } from './config.js';
import type { Addresses } from './serve.js';
import { type Locations, type Role, usedBy } from './role.js';

/** What a process of its own tells when it listens: what it is, where, and on which stores it works. */
export function greetingOf(role: Exclude<Role, 'standalone'>, { url, grpc }: Addresses, config: Config): string {
  const { eventLog, graph, blobStore }: Partial<Locations> = usedBy(role, config);
  return [
    role === 'gateway' ? `Varve listens on ${url}` : `Varve's ${role} tells its health on ${url}/readyz`,
    ...(eventLog ? [`Event log:  ${shownLocation(eventLog)}`] : []),
    ...(graph ? [`Graph:      ${shownLocation(graph)}`] : []),
    ...(blobStore ? [`Blob store: ${shownLocation(blobStore)}`] : []),
    ...(role === 'notary' ? [`Key:        ${config.auditKey}`] : []),
    ...(role === 'gateway' ? [`The REST interface: ${url}/api/v1/openapi.json`] : []),
    ...(grpc === null ? [] : [`gRPC listens on ${grpc}`]),
    '',
  ].join('\n');
}
