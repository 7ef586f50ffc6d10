import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { FrameSocket } from './frame-socket.js';

let server: Server;
let client: FrameSocket;
let broker: Socket;
let whole: Buffer[];
let failure: string | undefined;
beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = new FrameSocket({ frameBytesMax: 1_000_000 });
  whole = [];
  failure = undefined;
  client.on('data', (chunk: Buffer) => whole.push(chunk));
  client.on('error', (error) => (failure = error.message));
  client.connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  [broker] = (await once(server, 'connection')) as [Socket];
});
afterEach(() => {
  client.destroy();
  broker.destroy();
  server.close();
});

const frame = (text: string) => {
  const bytes = Buffer.alloc(4 + text.length);
  bytes.writeInt32BE(text.length);
  bytes.write(text, 4);
  return bytes;
};

/** Each piece in a write of its own, and then the end. */
async function send(pieces: readonly Buffer[]): Promise<void> {
  broker.setNoDelay();
  for (const piece of pieces) {
    broker.write(piece);
    await new Promise(setImmediate);
  }
  const closed = new Promise((resolve) => void client.once('close', resolve));
  broker.end();
  await closed;
}

it('hands on what is whole, wherever the network cut it', async () => {
  const bytes = Buffer.concat(['first', 'the second', 'and a third one', 'x'.repeat(300)].map(frame));
  await send(Array.from({ length: Math.ceil(bytes.length / 7) }, (_, i) => bytes.subarray(7 * i, 7 * i + 7)));
  expect(Buffer.concat(whole)).toEqual(bytes);
  // No piece begins or ends within an answer.
  for (const piece of whole) {
    let at = 0;
    while (at < piece.length) at += 4 + piece.readInt32BE(at);
    expect(at).toBe(piece.length);
  }
});

it('hands on large answers', async () => {
  const bytes = Buffer.concat([frame('y'.repeat(900_000)), frame('last')]);
  await send([bytes]);
  expect(Buffer.concat(whole).equals(bytes)).toBe(true);
});

it('keeps to itself what broke off: the end comes after the last whole answer', async () => {
  await send([frame('whole'), frame('broken off').subarray(0, 9)]);
  expect(Buffer.concat(whole)).toEqual(frame('whole'));
  expect(failure).toBeUndefined();
});

it.each([
  ['none', -1],
  ['without a number', 3],
  ['that no answer has', 1_000_001],
])('ends at a length %s, with an error that says so', async (_, length) => {
  const head = Buffer.alloc(8);
  head.writeInt32BE(length);
  const closed = new Promise((resolve) => void client.once('close', resolve));
  broker.write(Buffer.concat([frame('whole'), head]));
  await closed;
  expect(failure).toMatch(/^127\.0\.0\.1:\d+ sent an answer of no length that one can have$/);
});

it('gathers no listeners when it is let go of again and again after its end', () => {
  client.destroy();
  const before = client.listenerCount('connect');
  for (let n = 0; n < 20; n += 1) client.unref();
  expect(client.listenerCount('connect')).toBe(before);
});
