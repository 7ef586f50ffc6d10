import { readdirSync, readFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { CheckoutRequest, type CheckoutResponse, CheckoutServiceService } from '#proto/gen/varve/v1/checkout';
import { CommitRequest, CommitServiceService } from '#proto/gen/varve/v1/commit';
import { CreateRepoRequest, RepoServiceService } from '#proto/gen/varve/v1/repo';
import { WatchRequest, WatchServiceService } from '#proto/gen/varve/v1/watch';
import { rawTar } from '../fixture/raw-tar.js';
import { grpcAddress, GrpcCaller } from './harness/grpc.js';
import { embedded } from './harness/mode.js';
import { type Server, startServer } from './harness/server.js';
import { storedIn } from './harness/stored.js';

const mebibyte = 2 ** 20;
const fileBytes = 2 * 2 ** 30;
/** What a stream that is not read may cost the server, and what its garbage collector leaves lying about. */
const heldBytesMax = 64 * mebibyte;

let server: Server;
let grpc: GrpcCaller;
beforeAll(async () => {
  server = await startServer({ env: { VARVE_LOG_LEVEL: 'warn' } });
  grpc = new GrpcCaller(grpcAddress(server));
  await grpc.call(RepoServiceService.createRepo, [CreateRepoRequest.create({ repo: 'large' })]);
  // Two GiB that take a kilobyte: all of it is a hole.
  const hole = { name: 'disk.img', pax: { 'GNU.sparse.realsize': String(fileBytes), 'GNU.sparse.map': '0,0' } };
  const layer = rawTar([hole]);
  const { code } = await grpc.call(CommitServiceService.commit, [
    CommitRequest.create({ part: { $case: 'header', value: { repo: 'large', branch: 'main', message: 'a disk' } } }),
    CommitRequest.create({ part: { $case: 'chunk', value: layer } }),
  ]);
  expect(code).toBeNull();
  // The first answers make the process grow to its usual size.
  await readOverRest(64);
  await readOverGrpc(64);
}, 60_000);
afterAll(async () => {
  grpc.close();
  await server.stop();
});

embedded('it looks at one process from outside').describe('a reader that takes one MiB a second of two GiB', () => {
  it.each([
    ['REST', readOverRest],
    ['gRPC', readOverGrpc],
  ] as const)(
    'costs the server no more than 64 MiB over %s, and nothing once it is gone',
    async (_, read) => {
      const before = { bytes: residentBytes(), descriptors: descriptors() };
      let most = 0;
      const watching = setInterval(() => (most = Math.max(most, residentBytes())), 20);
      await read(5, () => pause(1_000));
      clearInterval(watching);
      expect(most - before.bytes).toBeLessThan(heldBytesMax);
      await until(() => descriptors() <= before.descriptors);
    },
    60_000,
  );
});

/** Ten thousand are a minute's work: `VARVE_TEST_CANCELLED=10000`. */
const cancelledCalls = Number(process.env['VARVE_TEST_CANCELLED'] ?? 2_000);

embedded('it looks at one process from outside').describe(`${cancelledCalls} calls that are cancelled`, () => {
  it('leave memory and descriptors as they were, and nothing staged', async () => {
    await cancelMany(500);
    await settled();
    const before = { bytes: residentBytes(), descriptors: descriptors() };
    await cancelMany(cancelledCalls);
    await settled();
    expect(descriptors()).toBeLessThanOrEqual(before.descriptors + 2);
    expect(residentBytes() - before.bytes).toBeLessThan(heldBytesMax);
    expect((await storedIn(server.data)).staging).toEqual([]);
    expect((await grpc.call(RepoServiceService.listRepos, [{}])).status).toBe('OK');
  }, 180_000);

  async function settled(): Promise<void> {
    await until(async () => (await storedIn(server.data)).staging.length === 0);
    await pause(500);
  }
});

/** Half of them uploads, some with bytes and some with their header alone; then watches, and a few downloads. */
async function cancelMany(count: number): Promise<void> {
  const atOnce = 50;
  for (let done = 0; done < count; done += atOnce) {
    await Promise.all(Array.from({ length: atOnce }, (_, i) => (i % 2 === 0 ? cancelReading(i) : cancelSending(i))));
  }
}

function cancelReading(i: number): Promise<void> {
  const [method, request] =
    i === 0
      ? [CheckoutServiceService.checkout, CheckoutRequest.create({ repo: 'large', rev: 'main' })]
      : [WatchServiceService.watch, WatchRequest.create({ repo: 'large', after: 'start' })];
  const call = grpc.client.makeServerStreamRequest(
    method.path,
    method.requestSerialize as (value: unknown) => Buffer,
    method.responseDeserialize as (value: Buffer) => unknown,
    request as unknown,
  );
  return new Promise((resolve) => {
    call.on('error', () => resolve());
    call.once('data', () => call.cancel());
  });
}

function cancelSending(i: number): Promise<void> {
  const { path, requestSerialize, responseDeserialize } = CommitServiceService.commit;
  return new Promise((resolve) => {
    const call = grpc.client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, () => resolve());
    call.write(CommitRequest.create({ part: { $case: 'header', value: { repo: 'large', branch: 'main' } } }));
    if (i % 4 === 1) call.write(CommitRequest.create({ part: { $case: 'chunk', value: Buffer.alloc(10_000, 1) } }));
    setTimeout(() => call.cancel(), i % 7);
  });
}

/** Reads so many MiB, pauses after each, and leaves. */
async function readOverRest(mebibytes: number, rest: () => Promise<unknown> = async () => undefined): Promise<void> {
  const url = `${server.url}/api/v1/repos/large/commits/main/rootfs.tar`;
  const response = await new Promise<IncomingMessage>((resolve) => get(url, resolve));
  expect(Number(response.headers['content-length'])).toBeGreaterThan(fileBytes);
  await take(response as AsyncIterable<Buffer>, (chunk) => chunk.length, { mebibytes, rest });
  response.destroy();
}

async function readOverGrpc(mebibytes: number, rest: () => Promise<unknown> = async () => undefined): Promise<void> {
  const { path, requestSerialize, responseDeserialize } = CheckoutServiceService.checkout;
  const request = CheckoutRequest.create({ repo: 'large', rev: 'main' });
  const call = grpc.client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
  call.on('error', () => undefined);
  await take(call as AsyncIterable<CheckoutResponse>, ({ part }) => (part?.$case === 'chunk' ? part.value.length : 0), {
    mebibytes,
    rest,
  });
  call.cancel();
}

async function take<Piece>(
  source: AsyncIterable<Piece>,
  bytesOf: (piece: Piece) => number,
  { mebibytes, rest }: { readonly mebibytes: number; readonly rest: () => Promise<unknown> },
): Promise<void> {
  let [bytes, told] = [0, 0];
  for await (const piece of source) {
    bytes += bytesOf(piece);
    for (; told < Math.floor(bytes / mebibyte); told += 1) await rest();
    if (bytes >= mebibytes * mebibyte) break;
  }
  expect(bytes).toBeGreaterThanOrEqual(mebibytes * mebibyte);
}

/** VmRSS of the server. */
function residentBytes(): number {
  const [, kibibytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.pid}/status`, 'latin1')) ?? [];
  return Number(kibibytes) * 1024;
}

function descriptors(): number {
  return readdirSync(`/proc/${server.pid}/fd`).length;
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let n = 0; n < 500; n++) {
    if (await holds()) return;
    await pause(20);
  }
  throw new Error('it did not come');
}
