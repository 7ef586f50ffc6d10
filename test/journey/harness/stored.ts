import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Files below a folder, as paths from it; none when it is not there. */
export async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
}

/** What a refused write must leave as it was: the stored blobs and what is derived from them; `staging` must be empty. */
export interface Stored {
  readonly staging: readonly string[];
  readonly blobs: readonly string[];
}

export async function storedIn(data: string): Promise<Stored> {
  const files = await filesIn(data);
  return {
    staging: files.filter((file) => /(?:^|\/)staging\//.test(file)),
    blobs: files.filter((file) => /(?:^|\/)(?:blobs|derived)\//.test(file)),
  };
}
