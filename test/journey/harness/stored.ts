import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openS3BlobStore } from '#adapters/s3/s3-blob-store';
import { realmOf } from './cluster.js';
import { isCluster } from './mode.js';

/** Files below a folder, as paths from it; none when it is not there. */
export async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
}

/**
 * What a refused write must leave as it was: the stored blobs and what is derived from them; `staging` must be empty. In
 * an object store, what another process may still be writing does not count as staged.
 */
export interface Stored {
  readonly staging: readonly string[];
  readonly blobs: readonly string[];
}

export async function storedIn(data: string): Promise<Stored> {
  if (isCluster) return storedInRealm(data);
  const files = await filesIn(data);
  return {
    staging: files.filter((file) => /(?:^|\/)staging\//.test(file)),
    blobs: files.filter((file) => /(?:^|\/)(?:blobs|derived)\//.test(file)),
  };
}

async function storedInRealm(data: string): Promise<Stored> {
  const { s3 } = await realmOf(data);
  const store = await openS3BlobStore(s3);
  try {
    const staging: string[] = [];
    const blobs: string[] = [];
    for await (const { name, inUse } of store.staged()) if (!inUse) staging.push(name);
    for await (const { digest, incarnation } of store.blobs()) {
      blobs.push(`blobs/sha256/${digest.slice('sha256:'.length)}/${incarnation}`);
    }
    for (const kind of ['index', 'seekable', 'tree'] as const) {
      for await (const { address } of store.derived(kind))
        blobs.push(`derived/${kind}/${address.version}/${address.key}`);
    }
    return { staging, blobs };
  } finally {
    await store.close();
  }
}
