import { randomBytes } from 'node:crypto';
import { openS3BlobStore } from '#adapters/s3/s3-blob-store';
import { digestOf } from '#core/digest';
import type { BlobStore } from '#ports/blob-store';
import { readBlob } from '#ports/read-blob';
import { collect, randomBytesOf } from '../fixture/bytes-random.js';
import { canMountSmallDisk, onSmallDisk } from '../fixture/bytes-small-disk.js';
import { s3Place, s3Servers } from '../fixture/s3-bucket.js';

const mebibyte = 1 << 20;
const known = { kind: 'seekable', version: 1, key: digestOf('known') } as const;

const canMount = canMountSmallDisk();
const why = canMount ? '' : ' (needs root, to mount a small disk)';

describe.each(s3Servers)('without room on this machine, with room on $name', ({ needs }) => {
  async function onFullDisk(work: (store: BlobStore) => Promise<void>): Promise<void> {
    const place = await s3Place(needs, randomBytes(8).toString('hex'));
    await onSmallDisk(mebibyte, async ({ folder }) => {
      const store = await openS3BlobStore({ ...place, spoolFolder: folder });
      await work(store);
      await store.close();
    });
  }

  (canMount ? it : it.skip)(`a blob too large for memory is STORAGE_FULL and nothing is kept of it${why}`, () =>
    onFullDisk(async (store) => {
      const staged = await store.stageBlob();
      const writing = (async () => {
        for (let count = 0; count < 4; count += 1) await staged.write(randomBytesOf(count, mebibyte));
      })();
      await expect(writing).rejects.toMatchObject({ code: 'STORAGE_FULL' });
      await staged.discard();
      expect(await collect(store.staged())).toEqual([]);
      expect(await collect(store.blobs())).toEqual([]);
      const small = await store.stageBlob();
      await small.write(randomBytesOf(9, 200_000));
      await small.finish();
      expect(await store.stat(await small.seal())).toBe(200_000);
    }),
  );

  (canMount ? it : it.skip)(`what has its address from the start needs none${why}`, () =>
    onFullDisk(async (store) => {
      const pieces = Array.from({ length: 20 }, (_, n) => randomBytesOf(n, mebibyte));
      const staged = await store.stageDerived({ address: known, sizeBytesMax: 20 * mebibyte });
      for (const piece of pieces) await staged.write(piece);
      expect(await store.stat(known)).toBeUndefined();
      await staged.seal(known);
      const reader = await store.open(known);
      expect(digestOf(await readBlob(reader))).toBe(digestOf(Buffer.concat(pieces)));
      await reader.close();
      expect(await collect(store.staged())).toEqual([]);
    }),
  );

  it('what is discarded half sent is gone, and what was there before stays', async () => {
    const store = await openS3BlobStore(await s3Place(needs, randomBytes(8).toString('hex')));
    const first = await store.stageDerived({ address: known, sizeBytesMax: 100 });
    await first.write(Buffer.from('first'));
    await first.seal(known);
    const second = await store.stageDerived({ address: known, sizeBytesMax: 20 * mebibyte });
    for (let count = 0; count < 20; count += 1) await second.write(randomBytesOf(count, mebibyte));
    expect(await collect(store.staged())).toMatchObject([{ size: 20 * mebibyte, inUse: true }]);
    await second.discard();
    expect(await collect(store.staged())).toEqual([]);
    expect(await store.stat(known)).toBe(5);
    await store.close();
  });
});
