import { digestOf } from '#core/digest';
import type { BlobAddress, BlobStore, DerivedAddress } from '#ports/blob-store';
import { readBlob, streamBlob } from '#ports/read-blob';
import { collect, collectBytes, randomBytesOf } from '../fixture/bytes-random.js';
import type { Case } from './describe-each.js';

const hello = Buffer.from('hello\n');
const someIndex: DerivedAddress = { kind: 'index', version: 1, key: digestOf('a layer') };
const mebibyte = 1 << 20;

/** What every BlobStore keeps true. A new adapter is done when this passes. */
export const blobStoreContract: readonly Case<BlobStore>[] = [
  {
    title: 'reads back exactly the bytes that were stored',
    async run(store) {
      for (const count of [1, 1023, 65_536, 65_537, 3 * mebibyte + 7]) {
        const bytes = randomBytesOf(count, count);
        const address = await put(store, bytes, 60_000);
        expect(address.digest).toBe(digestOf(bytes));
        expectSame(await get(store, address), bytes);
        expect(await store.stat(address)).toBe(count);
      }
    },
  },
  {
    title: 'tells digest and size before it seals',
    async run(store) {
      const staged = await store.stageBlob();
      await staged.write(hello);
      expect(await staged.finish()).toEqual({ digest: digestOf(hello), size: 6 });
      await staged.discard();
    },
  },
  {
    title: 'holds the empty blob',
    async run(store) {
      const address = await put(store, Buffer.alloc(0));
      expect(address.digest).toBe(digestOf(''));
      expect(await store.stat(address)).toBe(0);
      expectSame(await get(store, address), Buffer.alloc(0));
    },
  },
  {
    title: 'reads any byte range, and fewer bytes only at the end',
    async run(store) {
      const bytes = randomBytesOf(1, 200_000);
      const reader = await store.open(await put(store, bytes));
      expect(reader.size).toBe(200_000);
      for (const [from, to] of [
        [0, 1],
        [65_535, 65_537],
        [199_999, 200_000],
        [7, 199_993],
      ] as const) {
        expectSame(await collectBytes(streamBlob(reader, from, to)), bytes.subarray(from, to));
      }
      const target = Buffer.alloc(100);
      expect(await reader.read(target, 199_990)).toBe(10);
      expect(target.subarray(0, 10)).toEqual(bytes.subarray(199_990));
      expect(await reader.read(target, 200_000)).toBe(0);
      await reader.close();
    },
  },
  {
    title: 'reads at many offsets of one reader at once',
    async run(store) {
      const bytes = randomBytesOf(2, mebibyte);
      const reader = await store.open(await put(store, bytes));
      const offsets = Array.from({ length: 64 }, (_, n) => n * 16_000);
      const pieces = await Promise.all(offsets.map((from) => readBlob(reader, from, from + 16_000)));
      expectSame(Buffer.concat(pieces), bytes.subarray(0, 64 * 16_000));
      await reader.close();
    },
  },
  {
    title: 'never shows a blob before it is sealed, nor its bytes after it is discarded',
    async run(store) {
      const staged = await store.stageBlob();
      await staged.write(randomBytesOf(3, mebibyte));
      expect(await collect(store.blobs())).toEqual([]);
      await staged.finish();
      expect(await collect(store.blobs())).toEqual([]);
      await staged.discard();
      expect(await collect(store.blobs())).toEqual([]);
      expect(await collect(store.staged())).toEqual([]);
    },
  },
  {
    title: 'lists what is being staged while it is large, and nothing of it once it is sealed',
    async run(store) {
      const staged = await store.stageBlob();
      await staged.write(randomBytesOf(4, mebibyte));
      const [open, ...others] = await collect(store.staged());
      expect(others).toEqual([]);
      expect(open).toMatchObject({ size: mebibyte });
      expect(open?.name).toMatch(/^[0-9a-f]{32}$/);
      await staged.finish();
      await staged.seal();
      expect(await collect(store.staged())).toEqual([]);
      await staged.discard();
      expect(await collect(store.blobs())).toHaveLength(1);
    },
  },
  {
    title: 'tells of all that is on its way that someone is writing it, until it is sealed',
    async run(store) {
      const sealing = Array.from({ length: 8 }, async (_, n) => {
        const staged = await store.stageBlob();
        await staged.write(randomBytesOf(n, n % 2 === 0 ? 1000 : mebibyte));
        await staged.finish();
        await staged.seal();
        await staged.discard();
      });
      let isOver = false;
      const over = Promise.all(sealing).then(() => (isOver = true));
      const look = async (): Promise<void> => {
        for (const file of await collect(store.staged())) expect(file).toMatchObject({ inUse: true });
        if (!isOver) await look();
      };
      await look();
      await over;
      expect(await collect(store.staged())).toEqual([]);
    },
  },
  {
    title: 'takes a copy of what is written, so that the caller may reuse its buffer',
    async run(store) {
      const buffer = Buffer.alloc(1000);
      const staged = await store.stageBlob();
      for (let n = 0; n < 200; n += 1) await staged.write(buffer.fill(n));
      const { digest } = await staged.finish();
      const expected = Buffer.concat(Array.from({ length: 200 }, (_, n) => Buffer.alloc(1000, n)));
      expect(digest).toBe(digestOf(expected));
      expectSame(await get(store, await staged.seal()), expected);
    },
  },
  {
    title: 'keeps two incarnations of one blob apart: deleting one leaves the other',
    async run(store) {
      const [first, second] = [await put(store, hello), await put(store, hello)];
      expect(first.digest).toBe(second.digest);
      expect(first.incarnation).not.toBe(second.incarnation);
      await store.delete(first);
      await expect(store.open(first)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
      expectSame(await get(store, second), hello);
    },
  },
  {
    title: 'stores the same bytes from many writers at once',
    async run(store) {
      const bytes = randomBytesOf(5, 100_000);
      const addresses = await Promise.all(Array.from({ length: 16 }, () => put(store, bytes, 10_000)));
      expect(new Set(addresses.map(({ incarnation }) => incarnation)).size).toBe(16);
      for (const address of addresses) expectSame(await get(store, address), bytes);
      expect(await collect(store.staged())).toEqual([]);
    },
  },
  {
    title: 'stores a blob while its other incarnations are deleted',
    async run(store) {
      for (let round = 0; round < 20; round += 1) {
        const old = await put(store, hello);
        const [, kept] = await Promise.all([store.delete(old), put(store, hello), store.delete(old)]);
        expectSame(await get(store, kept), hello);
        await store.delete(kept);
      }
      expect(await collect(store.blobs())).toEqual([]);
    },
  },
  {
    title: 'fails with BLOB_UNKNOWN when opening what it does not hold, and has no size for it',
    async run(store) {
      const held = await put(store, hello);
      const absent = { ...held, digest: digestOf('absent') };
      const unheard = [absent, { ...held, incarnation: '0'.repeat(32) }, someIndex];
      for (const address of unheard) {
        await expect(store.open(address)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
        expect(await store.stat(address)).toBeUndefined();
      }
    },
  },
  {
    title: 'does not follow an incarnation that is a path',
    async run(store) {
      const held = await put(store, hello);
      for (const incarnation of [
        '',
        '.',
        '..',
        `../${held.incarnation}`,
        `${held.incarnation}/.`,
        '/etc/passwd',
        '\0',
      ]) {
        const address = { digest: held.digest, incarnation };
        await expect(store.open(address)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
        expect(await store.stat(address)).toBeUndefined();
        await store.delete(address);
      }
      expectSame(await get(store, held), hello);
    },
  },
  {
    title: 'treats deleting twice as success',
    async run(store) {
      const address = await put(store, hello);
      await store.delete(address);
      await store.delete(address);
      await store.delete(someIndex);
      expect(await collect(store.blobs())).toEqual([]);
    },
  },
  {
    title: 'lists blobs ordered by digest and incarnation, and resumes after any of them',
    async run(store) {
      for (let n = 0; n < 20; n += 1) await put(store, Buffer.from(`blob ${n % 10}`));
      const all = await collect(store.blobs());
      const order = all.map(({ digest, incarnation }) => `${digest} ${incarnation}`);
      expect(order).toEqual(order.toSorted());
      expect(all).toHaveLength(20);
      for (const [at, blob] of all.entries()) {
        expect(blob.size).toBe(6);
        expect(Math.abs(blob.modifiedAt - Date.now())).toBeLessThan(60_000);
        expect(await collect(store.blobs(blob))).toEqual(all.slice(at + 1));
      }
    },
  },
  {
    title: 'replaces what is derived, whole, and lists it by kind',
    async run(store) {
      await putDerived(store, someIndex, Buffer.from('first'));
      const before = await store.open(someIndex);
      await putDerived(store, someIndex, randomBytesOf(6, 100_000));
      await putDerived(store, { ...someIndex, version: 2 }, Buffer.from('of another version'));
      await putDerived(store, { ...someIndex, kind: 'tree' }, Buffer.from('of another kind'));

      expect(await readBlob(before)).toEqual(Buffer.from('first'));
      await before.close();
      expectSame(await get(store, someIndex), randomBytesOf(6, 100_000));
      expect(await store.stat(someIndex)).toBe(100_000);
      const indexes = await collect(store.derived('index'));
      for (const { modifiedAt } of indexes) expect(Math.abs(modifiedAt - Date.now())).toBeLessThan(60_000);
      expect(indexes).toEqual([
        expect.objectContaining({ address: someIndex, size: 100_000 }),
        expect.objectContaining({ address: { ...someIndex, version: 2 }, size: 18 }),
      ]);
      expect(await collect(store.derived('seekable'))).toEqual([]);
      expect(await collect(store.blobs())).toEqual([]);
    },
  },
  {
    title: 'forgets what is derived when it is deleted or discarded',
    async run(store) {
      await putDerived(store, someIndex, hello);
      expectSame(await get(store, someIndex), hello);
      await store.delete(someIndex);
      await expect(store.open(someIndex)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
      const staged = await store.stageDerived();
      await staged.write(randomBytesOf(7, mebibyte));
      await staged.discard();
      expect(await collect(store.staged())).toEqual([]);
      expect(await store.stat(someIndex)).toBeUndefined();
    },
  },
  {
    title: 'reads what is derived back before it is sealed, few bytes and many',
    async run(store) {
      for (const bytes of [hello, randomBytesOf(8, mebibyte)]) {
        const staged = await store.stageDerived();
        await staged.write(bytes.subarray(0, 3));
        await staged.write(bytes.subarray(3));
        expectSame(Buffer.from(await staged.read()), bytes);
        await staged.seal(someIndex);
        expectSame(await get(store, someIndex), bytes);
      }
    },
  },
  {
    title: 'sweeps nothing that is being written, and nothing that is stored',
    async run(store) {
      const kept = await put(store, hello);
      await putDerived(store, someIndex, hello);
      const staged = await Promise.all([1, 2, 3].map(() => store.stageBlob()));
      for (const [n, one] of staged.entries()) await one.write(randomBytesOf(n, mebibyte));
      expect(await store.sweepStaging()).toBe(0);
      expect(await collect(store.staged())).toHaveLength(3);
      for (const [n, one] of staged.entries()) {
        await one.finish();
        expect(await store.sweepStaging()).toBe(0);
        expectSame(await get(store, await one.seal()), randomBytesOf(n, mebibyte));
      }
      expect(await collect(store.staged())).toEqual([]);
      expectSame(await get(store, kept), hello);
      expectSame(await get(store, someIndex), hello);
    },
  },
  {
    title: 'goes on reading a blob that was open when it was deleted, or ends with a coded error',
    async run(store) {
      const address = await put(store, hello);
      const reader = await store.open(address);
      await store.delete(address);
      const read = await readBlob(reader).catch((error: { code: string }) => error.code);
      expect([hello, 'UNAVAILABLE', 'BLOB_UNKNOWN']).toContainEqual(read);
      await reader.close();
      await expect(store.open(address)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    },
  },
  {
    title: 'opens more blobs at once than it keeps open',
    async run(store) {
      const addresses = await Promise.all(Array.from({ length: 300 }, (_, n) => put(store, Buffer.from(`blob ${n}`))));
      const readers = await Promise.all(addresses.map((address) => store.open(address)));
      for (const [n, reader] of readers.entries()) expect(String(await readBlob(reader))).toBe(`blob ${n}`);
      for (const reader of readers) await reader.close();
      for (const [n, address] of addresses.entries()) expect(String(await get(store, address))).toBe(`blob ${n}`);
    },
  },
  {
    title: 'streams a 64 MiB blob in and out without holding it',
    gap: 'bounded memory',
    async run(store) {
      const piece = randomBytesOf(8, mebibyte);
      const before = process.memoryUsage().rss;
      let peak = 0;
      const staged = await store.stageBlob();
      for (let n = 0; n < 64; n += 1) {
        await staged.write(piece);
        peak = Math.max(peak, process.memoryUsage().rss);
      }
      const { digest, size } = await staged.finish();
      const reader = await store.open(await staged.seal());
      let read = 0;
      for await (const bytes of streamBlob(reader)) {
        expect(Buffer.compare(bytes, piece)).toBe(0);
        read += bytes.length;
        peak = Math.max(peak, process.memoryUsage().rss);
      }
      await reader.close();
      expect({ size, read }).toEqual({ size: 64 * mebibyte, read: 64 * mebibyte });
      expect(digest).toBe(digestOf(Buffer.concat(Array.from({ length: 64 }, () => piece))));
      expect(peak - before).toBeLessThan(48 * mebibyte);
    },
  },
  {
    title: 'still holds every blob and what is derived after closing and opening again',
    gap: 'reopen',
    async run(store, place) {
      const blob = await put(store, hello);
      await putDerived(store, someIndex, randomBytesOf(9, 100_000));
      const again = await place.reopen();
      expectSame(await get(again, blob), hello);
      expectSame(await get(again, someIndex), randomBytesOf(9, 100_000));
      expect(await collect(again.blobs())).toMatchObject([blob]);
    },
  },
  {
    title: 'discards what is still staged when it closes',
    async run(store, place) {
      await (await store.stageBlob()).write(randomBytesOf(10, mebibyte));
      await (await store.stageDerived()).write(randomBytesOf(11, mebibyte));
      const again = await place.reopen();
      expect(await collect(again.staged())).toEqual([]);
      expect(await collect(again.blobs())).toEqual([]);
    },
  },
];

async function put(store: BlobStore, bytes: Uint8Array, pieceBytes = mebibyte): Promise<BlobAddress> {
  const staged = await store.stageBlob();
  for (let at = 0; at < bytes.length; at += pieceBytes) await staged.write(bytes.subarray(at, at + pieceBytes));
  await staged.finish();
  const address = await staged.seal();
  await staged.discard();
  return address;
}

async function putDerived(store: BlobStore, address: DerivedAddress, bytes: Uint8Array): Promise<void> {
  const staged = await store.stageDerived();
  await staged.write(bytes);
  await staged.seal(address);
  await staged.discard();
}

async function get(store: BlobStore, address: BlobAddress | DerivedAddress): Promise<Buffer> {
  const reader = await store.open(address);
  try {
    return await readBlob(reader);
  } finally {
    await reader.close();
  }
}

/** By digest: the matcher walks arrays element by element, which takes seconds a mebibyte. */
function expectSame(actual: Buffer, expected: Buffer): void {
  expect({ length: actual.length, digest: digestOf(actual) }).toEqual({
    length: expected.length,
    digest: digestOf(expected),
  });
}
