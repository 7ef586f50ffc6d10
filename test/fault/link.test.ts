import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { FrameCutter, produceKey } from './kafka-frames.js';
import { Link } from './link.js';

let server: Server;
let link: Link;
/** Everything the server got, of all connections. */
let got: Buffer[];
const metadataKey = 3;

/** Answers each request of Kafka's form with its correlation id alone; other bytes with themselves. */
async function serve(speaks: 'kafka' | 'bytes'): Promise<void> {
  got = [];
  server = createServer((socket) => {
    const cutter = new FrameCutter();
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      for (const piece of speaks === 'kafka' ? cutter.push(chunk) : [chunk]) {
        got.push(piece);
        socket.write(speaks === 'kafka' ? answerTo(piece) : piece);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  link = await Link.open(speaks);
  link.aimAt((server.address() as AddressInfo).port);
}
async function end(): Promise<void> {
  await link.close();
  server.close();
}

function request(key: number, correlation: number, text = ''): Buffer {
  const head = Buffer.alloc(12);
  head.writeInt32BE(8 + text.length, 0);
  head.writeInt16BE(key, 4);
  head.writeInt32BE(correlation, 8);
  return Buffer.concat([head, Buffer.from(text)]);
}

function answerTo(frame: Buffer): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeInt32BE(4, 0);
  frame.copy(bytes, 4, 8, 12);
  return bytes;
}

function dialling(): Socket {
  const socket = connect(link.port, '127.0.0.1');
  socket.on('error', () => undefined);
  return socket;
}

async function dial(): Promise<Socket> {
  const socket = dialling();
  await once(socket, 'connect');
  return socket;
}

async function answer(socket: Socket): Promise<Buffer> {
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  return chunk;
}

/** A reset is an error before it is the end. */
async function closed(socket: Socket): Promise<'closed'> {
  if (!socket.closed) await new Promise((resolve) => void socket.once('close', resolve));
  return 'closed';
}

async function quiet(socket: Socket): Promise<'quiet' | Buffer> {
  return Promise.race([answer(socket), sleep(150, 'quiet' as const)]);
}

it('cuts frames wherever the network cut them', () => {
  const frames = [request(0, 1, 'one'), request(3, 2), request(0, 3, 'a longer one')];
  const bytes = Buffer.concat(frames);
  for (let size = 1; size <= bytes.length; size += 1) {
    const cutter = new FrameCutter();
    const found: Buffer[] = [];
    for (let from = 0; from < bytes.length; from += size) found.push(...cutter.push(bytes.subarray(from, from + size)));
    expect(found).toEqual(frames);
  }
});

describe('a link that speaks Kafka', () => {
  beforeEach(() => serve('kafka'));
  afterEach(end);

  it('passes requests and answers', async () => {
    const socket = await dial();
    socket.write(request(produceKey, 7));
    expect(await answer(socket)).toEqual(answerTo(request(produceKey, 7)));
  });

  it('loses the answer of one kind of request, which the server has got', async () => {
    const stop = link.rule(({ direction, key }) => (direction === 'answer' && key === produceKey ? 'break' : 'pass'));
    const socket = await dial();
    socket.write(request(metadataKey, 1));
    expect(await answer(socket)).toEqual(answerTo(request(metadataKey, 1)));
    socket.write(request(produceKey, 2));
    expect(await closed(socket)).toBe('closed');
    expect(got).toHaveLength(2);
    stop();
    const again = await dial();
    again.write(request(produceKey, 3));
    expect(await answer(again)).toEqual(answerTo(request(produceKey, 3)));
  });

  it('holds a request beyond the end of who sent it, and sends it when it is told to', async () => {
    const { held, stop } = link.hold(produceKey);
    const socket = await dial();
    socket.write(request(produceKey, 1, 'late'));
    socket.write(request(metadataKey, 2));
    expect(await answer(socket)).toEqual(answerTo(request(metadataKey, 2)));
    socket.destroy();
    await closed(socket);
    stop();
    expect(got).toHaveLength(1);
    expect(held).toHaveLength(1);
    await held[0]?.release();
    expect(got[1]).toEqual(request(produceKey, 1, 'late'));
  });

  it('tears a frame in the middle', async () => {
    link.rule(({ direction }) => (direction === 'answer' ? 'tear' : 'pass'));
    const socket = await dial();
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.write(request(produceKey, 1));
    await closed(socket);
    expect(Buffer.concat(chunks).length).toBeLessThan(8);
    expect(got).toHaveLength(1);
  });

  it('delays', async () => {
    link.delay(() => 200);
    const socket = await dial();
    socket.write(request(produceKey, 1));
    expect(await quiet(socket)).toBe('quiet');
    expect(await answer(socket)).toHaveLength(8);
  });
});

describe('a link that passes bytes', () => {
  beforeEach(() => serve('bytes'));
  afterEach(end);

  it('is cut: what is there ends, and what comes ends too, until it is healed', async () => {
    const socket = await dial();
    link.cut();
    expect(await closed(socket)).toBe('closed');
    expect(await closed(dialling())).toBe('closed');
    link.heal();
    const again = await dial();
    again.write('hello');
    expect((await answer(again)).toString()).toBe('hello');
  });

  it('is silent: nothing arrives and nobody is told, and then it all arrives', async () => {
    const socket = await dial();
    link.silence();
    socket.write('hello');
    expect(await quiet(socket)).toBe('quiet');
    expect(got).toEqual([]);
    link.heal();
    expect((await answer(socket)).toString()).toBe('hello');
  });

  it('is reset after so many bytes', async () => {
    let left = 100_000;
    link.rule(({ direction, bytes }) => {
      if (direction === 'request') left -= bytes.length;
      return left < 0 ? 'tear' : 'pass';
    });
    const socket = await dial();
    socket.resume();
    socket.write(Buffer.alloc(1_000_000));
    expect(await closed(socket)).toBe('closed');
    const arrived = got.reduce((sum, { length }) => sum + length, 0);
    expect(arrived).toBeGreaterThan(0);
    expect(arrived).toBeLessThan(1_000_000);
  });

  it('ends one side and not yet the other', async () => {
    const socket = await dial();
    socket.end('last words');
    expect((await answer(socket)).toString()).toBe('last words');
    expect(await closed(socket)).toBe('closed');
  });
});
