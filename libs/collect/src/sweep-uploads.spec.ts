import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFilesystemBlobStore } from '#adapters/filesystem/filesystem-blob-store';
import { randomBytesOf } from '../../../test/fixture/bytes-random.js';
import { sweepAbandonedUploads } from './sweep-uploads.js';

const clock = { now: () => Date.now() };

it('removes what a killed process left staged, tells it before, and never what is being written', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'varve-uploads-'));
  const blobs = await openFilesystemBlobStore(folder);
  const inStaging = () => readdir(join(folder, 'staging'));
  try {
    const going = await blobs.stageBlob();
    await going.write(randomBytesOf(1, 1 << 20));
    for (const [name, ageMs] of [
      ['a'.repeat(32), 3_600_000],
      ['b'.repeat(32), 0],
    ] as const) {
      await writeFile(join(folder, 'staging', name), 'left behind');
      const at = new Date(Date.now() - ageMs);
      await utimes(join(folder, 'staging', name), at, at);
    }
    const options = { graceMs: 60_000 };
    const told = await sweepAbandonedUploads({ blobs, clock }, { ...options, dryRun: true });
    expect(told).toEqual({ staged: { count: 3, bytes: (1 << 20) + 22 }, removed: { count: 1, bytes: 11 } });
    expect(await inStaging()).toHaveLength(3);
    expect(await sweepAbandonedUploads({ blobs, clock }, options)).toEqual(told);
    expect(await inStaging()).toHaveLength(2);
    expect(await sweepAbandonedUploads({ blobs, clock }, { graceMs: 0 })).toMatchObject({ removed: { count: 1 } });
    expect(await inStaging()).toHaveLength(1);
    await going.finish();
    expect(await blobs.stat(await going.seal())).toBe(1 << 20);
  } finally {
    await blobs.close();
    await rm(folder, { recursive: true, force: true });
  }
});
