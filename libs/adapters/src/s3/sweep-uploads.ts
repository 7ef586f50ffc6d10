import type { S3Requests, StoredKey } from './s3-requests.js';
import { markedKey } from './upload-marker.js';

/**
 * Ends the uploads that nobody has touched for so long, whoever began them; returns how many. Others may be uploading
 * meanwhile: what they write has a young marker, and an upload whose key has one is left alone.
 */
export async function sweepUploads(
  requests: S3Requests,
  { staging, olderThanMs }: { readonly staging: string; readonly olderThanMs: number },
): Promise<number> {
  const before = Date.now() - olderThanMs;
  const old: { marker: StoredKey; key: string | undefined }[] = [];
  const alive = new Set<string>();
  for await (const marker of requests.list(staging)) {
    const key = await markedKey(requests, marker);
    if (marker.modifiedAt < before) old.push({ marker, key });
    else if (key !== undefined) alive.add(key);
  }
  const ended = old.filter(({ key }) => key === undefined || !alive.has(key));
  for (const { marker, key } of ended) {
    if (key !== undefined) await endUploads(requests, key, before);
    await requests.remove(marker.key);
  }
  return ended.length;
}

/** One that began just now has a marker that we have not seen. */
async function endUploads(requests: S3Requests, key: string, before: number): Promise<void> {
  for (const { uploadId, startedAt } of await requests.uploadsOf(key)) {
    if (startedAt < before) await requests.abortUpload(key, uploadId);
  }
}
