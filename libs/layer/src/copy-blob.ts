import { isVarveError, VarveError } from '#core/error';
import type { NamedBlob } from '#core/event';
import type { BlobReader, BlobStore } from '#ports/blob-store';
import { streamBlob } from '#ports/read-blob';
import { refuseMismatch } from './mismatch.js';

/**
 * Stores the bytes of a stored copy once more, under a new incarnation: what takes the place of one that a fence has
 * retired. After an error nothing is kept.
 * @throws BLOB_GONE (the store does not hold the copy any more), CORRUPT, STORAGE_FULL, UNAVAILABLE
 */
export async function copyBlob(blobs: BlobStore, copy: NamedBlob): Promise<NamedBlob> {
  const reader = await openCopy(blobs, copy);
  try {
    const staged = await blobs.stageBlob();
    try {
      for await (const bytes of streamBlob(reader)) await staged.write(bytes);
      const { digest } = await staged.finish();
      refuseMismatch('the digest of a stored blob', copy.digest, digest);
      return { ...copy, ...(await staged.seal()) };
    } finally {
      await staged.discard();
    }
  } catch (error) {
    // It may be deleted while it is read.
    throw isVarveError(error, 'BLOB_UNKNOWN') ? goneBlob(copy, error) : error;
  } finally {
    await reader.close();
  }
}

async function openCopy(blobs: BlobStore, copy: NamedBlob): Promise<BlobReader> {
  try {
    return await blobs.open(copy);
  } catch (error) {
    throw isVarveError(error, 'BLOB_UNKNOWN') ? goneBlob(copy, error) : error;
  }
}

function goneBlob({ digest, incarnation }: NamedBlob, cause: unknown): VarveError {
  const message = `copy ${incarnation} of blob ${digest} was collected before anything named it; send the same request with its bytes again`;
  return new VarveError('BLOB_GONE', message, { digest, incarnation }, { cause });
}
