import type { BlobStore } from '#ports/blob-store';
import type { JobQueue } from '#ports/job-queue';
import { tarballAddress } from './assemble-tarball.js';

const pageSize = 100;

/** Deletes the tarballs that are due. Crashing anywhere, it is run again. @throws UNAVAILABLE */
export async function deleteDue({
  queue,
  blobs,
}: {
  readonly queue: JobQueue;
  readonly blobs: Pick<BlobStore, 'delete'>;
}): Promise<void> {
  for (let due = await queue.due(pageSize); due.length > 0; due = await queue.due(pageSize)) {
    for (const key of due) {
      await blobs.delete(tarballAddress(key));
      await queue.forget(key);
    }
  }
}
