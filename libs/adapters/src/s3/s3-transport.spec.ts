import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openTransport, ServerTrouble } from './s3-transport.js';

const server = createServer((incoming, outgoing) => {
  incoming.resume();
  outgoing.writeHead(503, { 'content-type': 'application/xml' }).end('<Error><Code>SlowDown</Code></Error>');
});
const transport = openTransport({ secure: false, connectionsMax: 2, idleTimeoutMs: 30_000 });
beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterAll(() => {
  transport.close();
  server.closeAllConnections();
  server.close();
});

function send(method: string, sizeBytes: number): Promise<unknown> {
  const { port } = server.address() as AddressInfo;
  const headers = sizeBytes > 0 ? { 'content-length': sizeBytes } : {};
  return new Promise((resolve) => {
    const request = transport.request({ host: '127.0.0.1', port, method, path: '/', headers }, resolve);
    request.on('error', resolve);
    request.end(sizeBytes > 0 ? Buffer.alloc(sizeBytes) : undefined);
  });
}

it.each([
  ['GET', 0],
  ['POST', 0],
  ['PUT', 1_000],
  ['PUT', 8 << 20],
])(
  'tells of a %s of %i bytes that is answered 503, on a new connection and on one that is used again',
  async (method, size) => {
    for (let n = 0; n < 3; n += 1) {
      const trouble = await send(method, size);
      expect(trouble).toBeInstanceOf(ServerTrouble);
      expect(trouble).toMatchObject({ status: 503, code: 'SlowDown' });
    }
  },
);
