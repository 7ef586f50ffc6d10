import { once as event } from 'node:events';
import { get, type IncomingMessage, request } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Client, credentials } from '@grpc/grpc-js';
import { CheckoutRequest, CheckoutServiceService } from '#proto/gen/varve/v1/checkout';
import { CommitRequest, type CommitResponse, CommitServiceService } from '#proto/gen/varve/v1/commit';
import type { Found } from './aim.js';
import { commitSynthetic, inScratch, makeRepository, withEngine } from './history.js';
import { layerStream } from './layer-stream.js';
import { sideBySide, table } from './measure.js';
import { freePort, startApp } from './server.js';

/** Bytes on their way before the reader has taken them: the standard 64 KiB wait for every acknowledgement. */
const windowBytes = 4 << 20;

/**
 * How many bytes a second go through the two doors of one server, both ways? Takes how many MiB the layer has. Both ends
 * are Node, and the far one only counts.
 */
export async function benchGrpc(given = '256'): Promise<Found> {
  const layer = { first: 0, files: Number(given) * 4, bodyBytes: (1 << 18) - 512 };
  return inScratch(async (data) => {
    await withEngine(data, async (engine) => {
      await makeRepository(engine);
      await commitSynthetic(engine, layer);
    });
    const address = `127.0.0.1:${await freePort()}`;
    const server = await startApp('standalone', { VARVE_DATA: data, VARVE_GRPC_LISTEN: address });
    const client = new Client(address, credentials.createInsecure(), { 'grpc-node.flow_control_window': windowBytes });
    try {
      const pieces: Uint8Array[] = [];
      for await (const piece of layerStream(layer)) pieces.push(piece);
      const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
      const down = await sideBySide(
        [
          { name: 'checkout over REST', bytes, run: () => checkoutOverRest(server.url, bytes) },
          { name: 'checkout over gRPC', bytes, run: () => checkoutOverGrpc(client, bytes) },
        ],
        5,
      );
      const up = await sideBySide(
        [
          { name: 'commit over REST', bytes, run: () => commitOverRest(server.url, pieces) },
          { name: 'commit over gRPC', bytes, run: () => commitOverGrpc(client, pieces) },
        ],
        5,
      );
      const title = `${given} MiB through the doors of one server`;
      return { aims: [], text: [table(`Checkout: ${title}`, down), table(`Commit: ${title}`, up)].join('\n\n') };
    } finally {
      client.close();
      await server.stop();
    }
  });
}

async function checkoutOverRest(url: string, least: number): Promise<void> {
  const response = await new Promise<IncomingMessage>((resolve) =>
    get(`${url}/api/v1/repos/bench/commits/main/rootfs.tar`, resolve),
  );
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) bytes += chunk.length;
  check('checkout over REST', bytes, least);
}

async function checkoutOverGrpc(client: Client, least: number): Promise<void> {
  const { path, requestSerialize, responseDeserialize } = CheckoutServiceService.checkout;
  const asked = CheckoutRequest.create({ repo: 'bench', rev: 'main' });
  const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, asked);
  let bytes = 0;
  for await (const { part } of call) if (part?.$case === 'chunk') bytes += part.value.length;
  check('checkout over gRPC', bytes, least);
}

async function commitOverRest(url: string, pieces: readonly Uint8Array[]): Promise<void> {
  const sent = request(`${url}/api/v1/repos/bench/branches/main/commits?message=again`, { method: 'POST' });
  const answered = event(sent, 'response');
  await pipeline(Readable.from(pieces), sent);
  const [response] = (await answered) as [IncomingMessage];
  response.resume();
  await event(response, 'end');
  check('commit over REST', response.statusCode ?? 0, 201);
}

async function commitOverGrpc(client: Client, pieces: readonly Uint8Array[]): Promise<void> {
  const { path, requestSerialize, responseDeserialize } = CommitServiceService.commit;
  const answered = Promise.withResolvers<CommitResponse>();
  const call = client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, (error, answer) =>
    error ? answered.reject(error) : answered.resolve(answer as CommitResponse),
  );
  const header = { repo: 'bench', branch: 'main', message: 'again' };
  call.write(CommitRequest.create({ part: { $case: 'header', value: header } }));
  for (const piece of pieces) {
    const value = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    if (!call.write({ part: { $case: 'chunk', value } })) await event(call, 'drain');
  }
  call.end();
  await answered.promise;
}

function check(what: string, found: number, least: number): void {
  if (found < least) throw new Error(`${what}: ${found} instead of ${least}`);
}
