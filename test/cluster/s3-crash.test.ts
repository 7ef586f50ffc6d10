import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openS3BlobStore } from '#adapters/s3/s3-blob-store';
import type { S3Options } from '#adapters/s3/s3-options';
import type { BlobStore } from '#ports/blob-store';
import { collect } from '../fixture/bytes-random.js';
import { s3Client, s3Place, s3Servers } from '../fixture/s3-bucket.js';
import { S3Process, uploaded } from './s3-process.js';

/** Longer than a listing's times are coarse, on a busy machine too. */
const windowMs = 10_000;

describe.each(s3Servers)('a process killed while it uploads to $name', ({ needs }) => {
  let options: S3Options;
  let spoolFolder: string;
  let store: BlobStore;
  let child: S3Process | undefined;
  beforeEach(async () => {
    spoolFolder = await mkdtemp(join(tmpdir(), 'varve-spool-'));
    const place = await s3Place(needs, randomBytes(8).toString('hex'));
    options = { ...place, sweepAfterMs: windowMs, spoolFolder };
    store = await openS3BlobStore(options);
  });
  afterEach(async () => {
    await child?.kill();
    await store.close();
    // Fails when anything is in it.
    await rmdir(spoolFolder);
  });

  it('leaves no object, and an upload that is swept when it is old and not before', async () => {
    child = new S3Process('stall', options);
    expect(await child.says()).toBe('uploading');
    await child.kill();
    expect(await store.stat(uploaded)).toBeUndefined();
    expect(await collect(store.derived('seekable'))).toEqual([]);
    expect(await unfinished(options)).toBeDefined();

    expect(await store.sweepStaging()).toBe(0);
    expect(await collect(store.staged())).toMatchObject([{ inUse: true }]);
    expect(await unfinished(options)).toBeDefined();
    await pause(windowMs + 1_500);
    expect(await collect(store.staged())).toMatchObject([{ inUse: false }]);
    expect(await store.sweepStaging()).toBe(1);
    expect(await unfinished(options)).toBeUndefined();
    expect(await collect(store.staged())).toEqual([]);
  });

  it('shows no blob that was being sealed, leaves no file, and the next one is whole', async () => {
    child = new S3Process('blob', options);
    expect(await child.says()).toBe('sealing');
    expect(await readdir(spoolFolder)).toEqual([]);
    while ((await collect(store.staged())).length === 0) await pause(5);
    await child.kill();
    expect(await collect(store.blobs())).toEqual([]);
    child = new S3Process('blob', options);
    expect([await child.says(), await child.says()]).toEqual(['sealing', 'sealed']);
    expect(await child.exitCode()).toBe(0);
    expect(await collect(store.blobs())).toMatchObject([{ size: 300 << 20 }]);
  });

  it('does not sweep what a live process uploads, however long it takes', async () => {
    child = new S3Process('slowly', options);
    expect(await child.says()).toBe('uploading');
    const sealed = child.says();
    do expect(await store.sweepStaging()).toBe(0);
    while ((await Promise.race([sealed, pause(100)])) === undefined);
    expect(await sealed).toBe('sealed');
    expect(await child.exitCode()).toBe(0);
    expect(await store.stat(uploaded)).toBe(40 << 20);
    expect(await collect(store.staged())).toEqual([]);
  });

  /** The id of an upload that was neither completed nor aborted. */
  function unfinished({ bucket, prefix }: S3Options): Promise<string | undefined> {
    const hex = uploaded.key.slice('sha256:'.length);
    return s3Client(needs).findUploadId(bucket, `${prefix}/derived/seekable/v1/${hex.slice(0, 2)}/${hex}`);
  }
});
