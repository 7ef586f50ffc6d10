import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { openS3BlobStore } from '#adapters/s3/s3-blob-store';
import type { S3Options } from '#adapters/s3/s3-options';
import { digestOf } from '#core/digest';
import type { BlobAddress, BlobStore } from '#ports/blob-store';
import { readBlob, streamBlob } from '#ports/read-blob';
import { collect, randomBytesOf } from '../fixture/bytes-random.js';
import { S3Server } from '../fixture/s3-server.js';

const mebibyte = 1 << 20;
const large = Array.from({ length: 48 }, (_, n) => randomBytesOf(n + 1, mebibyte));
const largeDigest = digestOf(Buffer.concat(large));

describe.each(['minio', 'versitygw'] as const)('when %s goes away', (name) => {
  let server: S3Server;
  let store: BlobStore;
  beforeAll(async () => {
    server = await S3Server.start(name);
  });
  afterAll(() => server.end());
  afterEach(async () => {
    server.signal('SIGCONT');
    await server.restart();
    await store.close();
  });

  async function open(options: Partial<S3Options>): Promise<void> {
    store = await openS3BlobStore({ ...server.options, prefix: randomBytes(8).toString('hex'), ...options });
  }

  it('a read goes on where it was, when the server is back', async () => {
    await open({ retryMs: 60_000 });
    const reader = await store.open(await put(large));
    const pieces: Uint8Array[] = [];
    let isBack: Promise<void> | undefined;
    for await (const bytes of streamBlob(reader)) {
      pieces.push(bytes);
      if (pieces.length !== 10) continue;
      server.signal('SIGKILL');
      isBack = pause(500).then(() => server.restart());
    }
    await isBack;
    await reader.close();
    expect(digestOf(Buffer.concat(pieces))).toBe(largeDigest);
  });

  it('a blob that was being sealed is whole, or not there', async () => {
    await open({ retryMs: 60_000 });
    const sealing = put(large);
    while (!(await collect(store.staged())).some(({ inUse, size }) => inUse && size < 1000)) await pause(2);
    server.signal('SIGKILL');
    await pause(300);
    await server.restart();
    const address = await sealing;
    const reader = await store.open(address);
    expect(digestOf(await readBlob(reader))).toBe(largeDigest);
    await reader.close();
    expect(await collect(store.blobs())).toMatchObject([{ ...address, size: 48 * mebibyte }]);
    expect(await collect(store.staged())).toEqual([]);
  });

  it.each(['SIGKILL', 'SIGSTOP'] as const)(
    'by %s, all fail in a bounded time, and work when it is back',
    async (signal) => {
      await open({ retryMs: 400, idleTimeoutMs: 1_000 });
      const address = await put([randomBytesOf(99, 2 * mebibyte)]);
      const reader = await store.open(address);
      server.signal(signal);
      const attempts = [
        store.open(address),
        reader.read(Buffer.alloc(100_000), 1_000_000),
        store.stat(address),
        store.delete({ ...address, incarnation: '0'.repeat(32) }),
        collect(store.blobs()),
        put([randomBytesOf(98, 1000)]),
        put(large.slice(0, 20)),
        store.sweepStaging(),
      ];
      for (const attempt of await Promise.allSettled(attempts)) {
        expect(attempt).toMatchObject({ status: 'rejected', reason: { code: 'UNAVAILABLE' } });
      }
      if (signal === 'SIGSTOP') server.signal('SIGCONT');
      else await server.restart();
      expect(digestOf(await readBlob(reader))).toBe(address.digest);
      const next = await put([randomBytesOf(97, 1000)]);
      expect(await store.stat(next)).toBe(1000);
      await reader.close();
    },
  );

  async function put(pieces: readonly Uint8Array[]): Promise<BlobAddress> {
    const staged = await store.stageBlob();
    try {
      for (const piece of pieces) await staged.write(piece);
      await staged.finish();
      return await staged.seal();
    } finally {
      await staged.discard();
    }
  }
});
