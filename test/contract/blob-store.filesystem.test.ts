import { mkdir, mkdtemp, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFilesystemBlobStore } from '#adapters/filesystem/filesystem-blob-store';
import { digestOf, hexOf } from '#core/digest';
import type { BlobAddress, BlobStore } from '#ports/blob-store';
import { readBlob } from '#ports/read-blob';
import { collect, randomBytesOf } from '../fixture/bytes-random.js';
import { canMountSmallDisk, onSmallDisk } from '../fixture/bytes-small-disk.js';

/** What only files do: where they lie, what a crash leaves, a full and a read-only disk. */
describe('the filesystem blob store', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'varve-files-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('keeps a blob under its digest and incarnation, and what is derived under its kind and version', async () => {
    const store = await openFilesystemBlobStore(join(folder, 'made', 'here'));
    const { digest, incarnation } = await putBlob(store, Buffer.from('hello\n'));
    const staged = await store.stageDerived();
    await staged.write(Buffer.from('an index'));
    await staged.seal({ kind: 'index', version: 3, key: digest });
    const hex = hexOf(digest);
    expect(await filesUnder(join(folder, 'made', 'here'))).toEqual([
      `blobs/sha256/${hex.slice(0, 2)}/${hex}/${incarnation}`,
      `derived/index/v3/${hex.slice(0, 2)}/${hex}`,
    ]);
    await store.delete({ digest, incarnation });
    expect(await readdir(join(folder, 'made', 'here', 'blobs', 'sha256', hex.slice(0, 2)))).toEqual([]);
    await store.close();
  });

  it('never shows what a killed process had staged, and sweeps it', async () => {
    await mkdir(join(folder, 'staging'));
    await writeFile(join(folder, 'staging', '0'.repeat(32)), 'half a la');
    const store = await openFilesystemBlobStore(folder);
    expect(await collect(store.staged())).toMatchObject([{ name: '0'.repeat(32), size: 9 }]);
    expect(await collect(store.blobs())).toEqual([]);
    expect(await store.sweepStaging()).toBe(1);
    expect(await filesUnder(folder)).toEqual([]);
    await store.close();
  });

  it('sweeps beside uploads what is old enough and belongs to none of them', async () => {
    const store = await openFilesystemBlobStore(folder);
    const [old, young] = ['a'.repeat(32), 'b'.repeat(32)];
    await writeFile(join(folder, 'staging', old), 'left behind');
    await writeFile(join(folder, 'staging', young), 'left behind');
    const staged = await store.stageBlob();
    await staged.write(randomBytesOf(1, 1 << 20));
    // An hour old, all but one: it has come slowly.
    const hourAgo = new Date(Date.now() - 3_600_000);
    for (const name of await readdir(join(folder, 'staging'))) {
      if (name !== young) await utimes(join(folder, 'staging', name), hourAgo, hourAgo);
    }
    expect(await store.sweepStaging(60_000)).toBe(1);
    expect((await collect(store.staged())).map(({ name, inUse }) => [name === young, inUse])).toEqual(
      expect.arrayContaining([
        [true, false],
        [false, true],
      ]),
    );
    expect(await store.sweepStaging()).toBe(1);
    await staged.finish();
    expect(await store.stat(await staged.seal())).toBe(1 << 20);
    await store.close();
  });

  it('reads what lies on the disk, not what lay there, once somebody has looked', async () => {
    const store = await openFilesystemBlobStore(folder);
    const address = await putBlob(store, Buffer.from('hello\n'));
    await (await store.open(address)).close();
    const hex = hexOf(address.digest);
    const path = join(folder, 'blobs', 'sha256', hex.slice(0, 2), hex, address.incarnation);
    await writeFile(join(folder, 'other'), 'HELLO\n');
    await rename(join(folder, 'other'), path);
    expect(await collect(store.blobs())).toHaveLength(1);
    const other = await store.open(address);
    expect(String(await readBlob(other))).toBe('HELLO\n');
    await other.close();
    await rm(path);
    expect(await store.stat(address)).toBeUndefined();
    await expect(store.open(address)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await store.close();
  });

  it('does not list a file that is not ours', async () => {
    const store = await openFilesystemBlobStore(folder);
    const { digest } = await putBlob(store, Buffer.from('hello\n'));
    const hex = hexOf(digest);
    await writeFile(join(folder, 'blobs', 'sha256', hex.slice(0, 2), hex, '.DS_Store'), '');
    await writeFile(join(folder, 'blobs', 'sha256', 'lost+found'), '');
    expect(await collect(store.blobs())).toHaveLength(1);
    await store.close();
  });

  const canMount = canMountSmallDisk();
  const ifMounted = canMount ? it : it.skip;
  const why = canMount ? '' : ' (needs root, to mount a small disk)';

  ifMounted(`answers STORAGE_FULL when there is no room, keeps nothing, and goes on${why}`, () =>
    onSmallDisk(1 << 20, async (disk) => {
      const store = await openFilesystemBlobStore(disk.folder);
      const kept = await putBlob(store, Buffer.from('before'));
      for (const isSmall of [false, true]) {
        const fillers = isSmall ? await fill(store) : [];
        const bytes = randomBytesOf(1, isSmall ? 60_000 : 2 << 20);
        await expect(putBlob(store, bytes)).rejects.toMatchObject({ code: 'STORAGE_FULL' });
        expect(await collect(store.staged())).toEqual([]);
        for (const filler of fillers) await store.delete(filler);
      }
      expect(await collect(store.blobs())).toMatchObject([kept]);
      await putBlob(store, randomBytesOf(2, 100_000));
      await store.close();
    }),
  );

  ifMounted(`answers UNAVAILABLE with the cause on a read-only disk, and still reads${why}`, () =>
    onSmallDisk(1 << 20, async (disk) => {
      const store = await openFilesystemBlobStore(disk.folder);
      const blob = await putBlob(store, Buffer.from('readable'));
      disk.makeReadOnly();
      await expect(putBlob(store, Buffer.from('small'))).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        cause: { code: 'EROFS' },
      });
      await expect(putBlob(store, randomBytesOf(3, 100_000))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      await expect(store.delete(blob)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      expect(await store.stat(blob)).toBe(8);
      await store.close();
    }),
  );
});

async function putBlob(store: BlobStore, bytes: Uint8Array): Promise<BlobAddress> {
  const staged = await store.stageBlob();
  try {
    await staged.write(bytes);
    expect(await staged.finish()).toEqual({ digest: digestOf(bytes), size: bytes.length });
    return await staged.seal();
  } finally {
    await staged.discard();
  }
}

/** Small blobs until no more of them fit. */
async function fill(store: BlobStore): Promise<BlobAddress[]> {
  const stored = [];
  for (let seed = 10; ; seed += 1) {
    try {
      stored.push(await putBlob(store, randomBytesOf(seed, 60_000)));
    } catch {
      return stored;
    }
  }
}

async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
}
