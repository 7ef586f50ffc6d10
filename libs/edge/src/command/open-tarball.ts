import type { Tarball } from '#core/job';
import { tarballAddress } from '#materialize/assemble-tarball';
import { streamBlob } from '#ports/read-blob';
import type { TarballStores } from './deliver-tarball.js';
import type { OpenedBytes } from './rootfs.js';

/** A download keeps its tarball from being evicted for so long after its last chunk. */
const pinMs = 5 * 60_000;
const pinEveryMs = 60_000;

/** @throws BLOB_UNKNOWN when the bytes are missing: then the pointer is withdrawn */
export async function openTarball({ jobs, blobs }: TarballStores, tarball: Tarball): Promise<OpenedBytes> {
  await jobs.pin(tarball.name, Date.now() + pinMs);
  const reader = await blobs.open(tarballAddress(tarball)).catch(async (error: unknown) => {
    if ((await blobs.stat(tarballAddress(tarball))) === undefined) await jobs.withdraw(tarball);
    throw error;
  });
  return {
    size: tarball.sizeBytes,
    async *read(from: number, to: number): AsyncGenerator<Uint8Array> {
      let pinnedAt = performance.now();
      for await (const chunk of streamBlob(reader, from, to)) {
        yield chunk;
        if (performance.now() - pinnedAt < pinEveryMs) continue;
        pinnedAt = performance.now();
        await jobs.pin(tarball.name, Date.now() + pinMs);
      }
    },
    close: () => reader.close(),
  };
}
