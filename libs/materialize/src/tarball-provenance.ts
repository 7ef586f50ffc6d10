import type { TarballKey } from '#core/job';
import type { BlobStore, StoredDerived } from '#ports/blob-store';
import type { Clock } from '#ports/clock';
import type { JobQueue } from '#ports/job-queue';
import { formatOf, type Orphan, type Provenance } from '#ports/provenance';
import { writerVersion } from '#union/rootfs-plan';
import { deleteDue } from './due-tarballs.js';

interface TarballStores {
  readonly queue: JobQueue;
  readonly blobs: Pick<BlobStore, 'delete'>;
  readonly clock: Clock;
}

/** Each page is one pass over the pointers, which the budget bounds. */
const pageSize = 10_000;

/**
 * A tarball is there for its pointer. One without is a try that nobody published, of a queue that was lost; one whose
 * writer is of an older version is asked for by nobody. What a try may still publish is not looked at: it is due in time.
 */
export function tarballProvenance(options: TarballStores): Provenance {
  return {
    kind: 'tarball',
    pageSize,
    orphansOf: (page) => orphansOf(options.queue, page),
    remove: (orphans) => remove(options, orphans),
  };
}

/** Pointers are read after the bytes were listed, so that what is published meanwhile is no stray. */
async function orphansOf(queue: JobQueue, page: readonly StoredDerived[]): Promise<Orphan[]> {
  const strays = new Map<string, StoredDerived>();
  const orphans: Orphan[] = [];
  for (const stored of page) {
    const format = formatOf(stored, writerVersion);
    if (format === 'older') orphans.push({ ...stored, why: `it is of version ${stored.address.version}` });
    else strays.set(textOf(stored.address), stored);
  }
  if (strays.size > 0) for await (const tarball of queue.tarballs()) strays.delete(textOf(tarball));
  for (const stored of strays.values()) {
    if (await queue.isDiscarded(keyIn(stored))) continue;
    orphans.push({ ...stored, why: 'no job has published it' });
  }
  return orphans;
}

/** By way of the queue, which from then on lets no try publish them. */
async function remove({ queue, blobs, clock }: TarballStores, orphans: readonly Orphan[]): Promise<void> {
  const keys = new Map(orphans.map((orphan) => [textOf(orphan.address), keyIn(orphan)]));
  if (keys.size === 0) return;
  for await (const tarball of queue.tarballs()) if (keys.delete(textOf(tarball))) await queue.withdraw(tarball);
  for (const key of keys.values()) await queue.discard(key, clock.now());
  await deleteDue({ queue, blobs });
}

function keyIn({ address: { key, version } }: StoredDerived): TarballKey {
  return { key, version };
}

function textOf({ key, version }: TarballKey): string {
  return `v${version} ${key}`;
}
