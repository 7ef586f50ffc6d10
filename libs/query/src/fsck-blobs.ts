import { type Digest, DigestBuilder } from '#core/digest';
import { isVarveError } from '#core/error';
import { type BlobRow, isNamedCopy } from '#core/graph-row';
import type { BlobAddress, BlobReader, BlobStore, StoredBlob } from '#ports/blob-store';
import type { GraphReader } from '#ports/graph-store';
import { streamBlob } from '#ports/read-blob';
import { checked, found, type FsckStep } from './fsck-finding.js';

interface Stores {
  readonly graph: Pick<GraphReader, 'copies' | 'partitionCount'>;
  readonly blobs: Pick<BlobStore, 'blobs' | 'open'>;
}

export interface BlobScope {
  /** Compare sizes and read nothing. */
  readonly quick: boolean;
  /** What was stored later, ms, may not be named yet: its upload goes on. */
  readonly storedBefore: number;
}

/** Looked up together. */
const pageSize = 256;

/**
 * Every stored blob: its size is what the graph says, and its bytes hash to its name. `damaged` gets the digests of
 * those whose bytes are known to be wrong.
 */
export async function* checkBlobs(stores: Stores, scope: BlobScope, damaged: Set<Digest>): AsyncGenerator<FsckStep> {
  let page: StoredBlob[] = [];
  for await (const blob of stores.blobs.blobs()) {
    page.push(blob);
    if (page.length < pageSize) continue;
    yield* checkPage(stores, { ...scope, page }, damaged);
    page = [];
  }
  yield* checkPage(stores, { ...scope, page }, damaged);
}

async function* checkPage(
  { graph, blobs }: Stores,
  { quick, storedBefore, page }: BlobScope & { readonly page: readonly StoredBlob[] },
  damaged: Set<Digest>,
): AsyncGenerator<FsckStep> {
  const named = await namedOf(graph, page);
  for (const blob of page) {
    const copies = named.get(blob.digest) ?? [];
    const isNamed = copies.some(({ incarnation }) => incarnation === blob.incarnation);
    if (!isNamed && blob.modifiedAt < storedBefore) yield unreferenced(blob);
    // Equal digests have equal sizes, so any copy's row will do.
    const [row] = copies;
    if (row && row.size !== blob.size) {
      damaged.add(blob.digest);
      yield wrongSize(blob, row);
    } else if (!quick) {
      yield* hashBlob(blobs, blob, damaged);
    }
    yield checked('blobs', 1);
  }
}

/** What any partition knows of the blobs' copies by an accepted proposal. */
async function namedOf(graph: Stores['graph'], page: readonly StoredBlob[]): Promise<Map<Digest, BlobRow[]>> {
  const digests = [...new Set(page.map(({ digest }) => digest))];
  const named = new Map<Digest, BlobRow[]>(digests.map((digest) => [digest, []]));
  if (digests.length === 0) return named;
  for (let partition = 0; partition < graph.partitionCount; partition += 1) {
    for (const row of await graph.copies(partition, digests)) {
      if (isNamedCopy(row)) named.get(row.digest)?.push(row);
    }
  }
  return named;
}

async function* hashBlob(
  blobs: Pick<BlobStore, 'open'>,
  blob: StoredBlob,
  damaged: Set<Digest>,
): AsyncGenerator<FsckStep> {
  const hash = new DigestBuilder();
  let reader: BlobReader | undefined;
  try {
    reader = await openIfHeld(blobs, blob);
    if (!reader) return;
    for await (const bytes of streamBlob(reader)) {
      hash.update(bytes);
      yield checked('bytes', bytes.length);
    }
  } catch (error) {
    // A store that checks its own bytes gives none that are damaged; the others are looked at all the same.
    if (!isVarveError(error, 'CORRUPT')) throw error;
    damaged.add(blob.digest);
    yield found('blob-digest', {
      what: blob.digest,
      where: whereIs(blob),
      message: `it cannot be read to its end: ${error.message}. Check the disks of the store, and load or push again what has this blob; other copies of it are not affected`,
    });
    return;
  } finally {
    await reader?.close();
  }
  const actual = hash.digest();
  if (actual === blob.digest) return;
  damaged.add(blob.digest);
  yield found('blob-digest', {
    what: blob.digest,
    where: whereIs(blob),
    message: `the stored bytes hash to ${actual}: they were changed on the disk. Check the disk, and load or push again what has this blob; other copies of it are not affected`,
  });
}

/** Undefined when it was deleted while we listed. */
async function openIfHeld(blobs: Pick<BlobStore, 'open'>, address: BlobAddress) {
  try {
    return await blobs.open(address);
  } catch (error) {
    if (isVarveError(error, 'BLOB_UNKNOWN')) return undefined;
    throw error;
  }
}

function wrongSize(blob: StoredBlob, row: BlobRow): FsckStep {
  const how = blob.size < row.size ? 'it was cut short' : 'something was added to it';
  return found('blob-size', {
    what: blob.digest,
    where: whereIs(blob),
    message: `it has ${blob.size} bytes and had ${row.size} when it was stored: ${how}. Check the disk, and load or push again what has this blob`,
  });
}

function unreferenced(blob: StoredBlob): FsckStep {
  return found('blob-unreferenced', {
    what: blob.digest,
    where: whereIs(blob),
    message: `no record names these ${blob.size} bytes: an upload was given up after they were stored, or its copy was not needed. They do no harm. Run varve gc: it removes them when they are old enough`,
  });
}

export function whereIs({ digest, incarnation }: BlobAddress): string {
  return `blob ${digest}, incarnation ${incarnation}`;
}
