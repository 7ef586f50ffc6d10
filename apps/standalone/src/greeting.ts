import type { Config } from '#wiring/config';
import { isServer, shownLocation } from '#wiring/location';
import { foldersOf } from '#wiring/locations';
import type { Addresses } from '#wiring/serve';

/** Where it listens, where the data is, and what to try first. */
export function greeting({ url, grpc }: Addresses, { eventLog, graph, blobStore }: Config): string {
  const folders = foldersOf([eventLog, blobStore]);
  const servers = [eventLog, graph, blobStore].filter(isServer).map(shownLocation);
  const places = [...folders, ...servers];
  return [
    `Varve listens on ${url}`,
    `Data: ${places.length === 0 ? 'in memory, forgotten at the end' : places.join(', ')}`,
    '',
    'Try, in another terminal:',
    '  bin/varve load image.tar        an archive of docker save, of any age, or an OCI layout',
    '  bin/varve images --tree',
    '  bin/varve log',
    '  bin/varve checkout HEAD -o rootfs.tar',
    '',
    `The REST interface: ${url}/api/v1/openapi.json`,
    ...(grpc === null ? [] : [`gRPC listens on ${grpc}`]),
    '',
  ].join('\n');
}
