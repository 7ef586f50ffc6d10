import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { digestFromHex, hexOf } from '#core/digest';
import type { BlobAddress, DerivedAddress, StagedFile, StoredBlob, StoredDerived } from '#ports/blob-store';
import { isIncarnation } from '../blob-key.js';
import type { BlobLayout } from './blob-path.js';
import { errnoOf, fileError } from './file-error.js';

/** What lies at a path now; undefined when it went away while we listed. @throws UNAVAILABLE */
export type Look = (path: string) => Promise<{ readonly size: number; readonly modifiedAt: number } | undefined>;

/** Every blob after the given one, ordered by digest and incarnation. Holds one folder's names at a time. */
export async function* listBlobs(layout: BlobLayout, look: Look, after?: BlobAddress): AsyncGenerator<StoredBlob> {
  const afterHex = after ? hexOf(after.digest) : '';
  for (const fan of await names(layout.blobs, isFan)) {
    if (fan < afterHex.slice(0, 2)) continue;
    for (const hex of await names(join(layout.blobs, fan), isHex)) {
      if (hex < afterHex) continue;
      const digest = digestFromHex(hex);
      for (const incarnation of await names(layout.incarnations(digest), isIncarnation)) {
        if (after && hex === afterHex && incarnation <= after.incarnation) continue;
        const found = await look(join(layout.incarnations(digest), incarnation));
        if (found) yield { digest, incarnation, ...found };
      }
    }
  }
}

/** Everything derived of one kind, ordered by version and key. */
export async function* listDerived(
  layout: BlobLayout,
  look: Look,
  kind: DerivedAddress['kind'],
): AsyncGenerator<StoredDerived> {
  const folder = layout.derived(kind);
  const versions = (await names(folder, isVersion)).map((name) => Number(name.slice(1))).toSorted((a, b) => a - b);
  for (const version of versions) {
    for (const fan of await names(join(folder, `v${version}`), isFan)) {
      for (const hex of await names(join(folder, `v${version}`, fan), isHex)) {
        const address = { kind, version, key: digestFromHex(hex) };
        const found = await look(layout.derivedFile(address));
        if (found) yield { address, ...found };
      }
    }
  }
}

/** `isInUse` is asked before a file is looked at: one that is sealed meanwhile is not there any more when it is. */
export async function* listStaged(
  layout: BlobLayout,
  look: Look,
  isInUse: (path: string) => boolean,
): AsyncGenerator<StagedFile> {
  const found = await names(layout.staging, () => true);
  const inUse = new Set(found.filter((name) => isInUse(join(layout.staging, name))));
  for (const name of found) {
    const file = await look(join(layout.staging, name));
    if (file) yield { name, ...file, inUse: inUse.has(name) };
  }
}

/** The sorted names of ours in a folder; none when it is not there. */
async function names(folder: string, isOurs: (name: string) => boolean): Promise<string[]> {
  try {
    return (await readdir(folder)).filter(isOurs).toSorted();
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return [];
    throw fileError('list', folder, cause);
  }
}

function isFan(name: string): boolean {
  return /^[0-9a-f]{2}$/.test(name);
}

function isHex(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name);
}

function isVersion(name: string): boolean {
  return /^v[1-9]\d{0,8}$/.test(name);
}
