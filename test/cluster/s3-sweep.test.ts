import { randomBytes } from 'node:crypto';
import { mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openS3BlobStore } from '#adapters/s3/s3-blob-store';
import type { S3Options } from '#adapters/s3/s3-options';
import { sweepDerived } from '#collect/sweep-derived';
import { sweepAbandonedUploads } from '#collect/sweep-uploads';
import { type DiffId, digestOf } from '#core/digest';
import { parseRepositoryName } from '#core/name';
import { indexAddress, seekableAddress } from '#layer/derived-address';
import { layerProvenance } from '#layer/layer-provenance';
import { receiveLayer } from '#layer/receive-layer';
import type { BlobStore, DerivedAddress } from '#ports/blob-store';
import { graphOf } from '../fixture/bytes-graph.js';
import { collect, inPieces, randomBytesOf } from '../fixture/bytes-random.js';
import { layer } from '../fixture/layer-builder.js';
import { s3Place, s3Servers } from '../fixture/s3-bucket.js';
import { S3Process } from './s3-process.js';

/** Longer than a listing's times are coarse, on a busy machine too. */
const windowMs = 10_000;
const clock = { now: () => Date.now() };
const nothing = { count: 0, bytes: 0 };

describe.each(s3Servers)('what is left over behind $name', ({ needs }) => {
  let options: S3Options;
  let spoolFolder: string;
  let blobs: BlobStore;
  beforeEach(async () => {
    spoolFolder = await mkdtemp(join(tmpdir(), 'varve-spool-'));
    const place = await s3Place(needs, randomBytes(8).toString('hex'));
    options = { ...place, sweepAfterMs: windowMs, spoolFolder };
    blobs = await openS3BlobStore(options);
  });
  afterEach(async () => {
    await blobs.close();
    await rmdir(spoolFolder);
  });

  it('by a killed upload is told of and removed when its window is over, beside an upload that goes on', async () => {
    const killed = new S3Process('stall', options);
    expect(await killed.says()).toBe('uploading');
    await killed.kill();
    const sweep = (dryRun: boolean) => sweepAbandonedUploads({ blobs, clock }, { graceMs: 0, dryRun });
    // Whatever grace was asked for: another process may be writing it for all that this one knows.
    expect(await sweep(false)).toMatchObject({ staged: { count: 1 }, removed: nothing });

    const address = seekableAddress(digestOf(Buffer.from('goes on')) as DiffId);
    const going = await blobs.stageDerived({ address, sizeBytesMax: 20 << 20 });
    for (const until = Date.now() + windowMs + 1_500; Date.now() < until;) {
      await going.write(randomBytesOf(1, 100_000));
      await pause(100);
    }
    const told = await sweep(true);
    expect(told).toMatchObject({ staged: { count: 2 }, removed: { count: 1 } });
    expect(await sweep(false)).toEqual(told);
    expect(await sweep(true)).toMatchObject({ staged: { count: 1 }, removed: nothing });
    await going.seal(address);
    expect(await blobs.stat(address)).toBeGreaterThan(0);
    expect(await sweep(true)).toEqual({ staged: nothing, removed: nothing });
  });

  it('by an upload that nobody proposed, derived from its layer, is removed, and what a layer needs stays', async () => {
    const sealed = async (seed: number) => {
      const received = await receiveLayer(
        blobs,
        inPieces(layer({ file: randomBytesOf(seed, 9_000) }, 'gzip').blob, 999),
      );
      return { named: await received.seal(), diffId: received.diffId };
    };
    const [kept, abandoned] = [await sealed(1), await sealed(2)];
    const rows = { ...graphOf([kept.named]), partitionCount: 1 };
    const repositories = async () => [{ repo: parseRepositoryName('app') }] as never;
    const graph = { ...rows, repositories };
    const provenances = [layerProvenance('index', graph), layerProvenance('seekable', graph)];
    const sweep = (graceMs: number, dryRun = false) => sweepDerived({ blobs, clock }, provenances, { graceMs, dryRun });
    const held = async (): Promise<DerivedAddress[]> =>
      (await Promise.all(provenances.map(({ kind }) => collect(blobs.derived(kind)))))
        .flat()
        .map(({ address }) => address);

    expect((await sweep(3_600_000)).map(({ removed }) => removed)).toEqual([nothing, nothing]);
    const told = await sweep(0, true);
    expect(told.map(({ stored, removed }) => [stored.count, removed.count])).toEqual([
      [2, 1],
      [2, 1],
    ]);
    expect(await held()).toHaveLength(4);
    expect(await sweep(0)).toEqual(told);
    expect(await held()).toEqual([indexAddress(kept.diffId), seekableAddress(kept.diffId)]);
    expect(await blobs.stat(abandoned.named)).toBeGreaterThan(0);
  });
});
