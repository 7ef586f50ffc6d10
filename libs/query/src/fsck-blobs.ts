import { type Digest, DigestBuilder } from '#core/digest';
import { isVarveError } from '#core/error';
import type { BlobRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import type { BlobAddress, BlobStore, StoredBlob } from '#ports/blob-store';
import type { GraphReader } from '#ports/graph-store';
import { streamBlob } from '#ports/read-blob';
import { checked, found, type FsckStep } from './fsck-finding.js';

interface Stores {
  readonly graph: Pick<GraphReader, 'blob'>;
  readonly blobs: Pick<BlobStore, 'blobs' | 'open'>;
}

export interface BlobScope {
  /** Compare sizes and read nothing. */
  readonly quick: boolean;
  /** One repository of each partition: together they know every blob that any record has named. */
  readonly repositories: readonly RepositoryName[];
  /** When the run began, ms: what was stored later may not be named yet. */
  readonly startedAt: number;
}

/**
 * Every stored blob: its size is what the graph says, and its bytes hash to its name. `damaged` gets the digests of
 * those whose bytes are known to be wrong.
 */
export async function* checkBlobs(
  { graph, blobs }: Stores,
  { quick, repositories, startedAt }: BlobScope,
  damaged: Set<Digest>,
): AsyncGenerator<FsckStep> {
  for await (const blob of blobs.blobs()) {
    const row = await rowOf(graph, repositories, blob.digest);
    if (!row && blob.modifiedAt < startedAt) yield unreferenced(blob);
    if (row && row.size !== blob.size) {
      damaged.add(blob.digest);
      yield wrongSize(blob, row);
    } else if (!quick) {
      yield* hashBlob(blobs, blob, damaged);
    }
    yield checked('blobs', 1);
  }
}

async function* hashBlob(
  blobs: Pick<BlobStore, 'open'>,
  blob: StoredBlob,
  damaged: Set<Digest>,
): AsyncGenerator<FsckStep> {
  const reader = await openIfHeld(blobs, blob);
  if (!reader) return;
  const hash = new DigestBuilder();
  try {
    for await (const bytes of streamBlob(reader)) {
      hash.update(bytes);
      yield checked('bytes', bytes.length);
    }
  } finally {
    await reader.close();
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

/** Equal digests have equal sizes, so any copy's row will do. */
async function rowOf(
  graph: Pick<GraphReader, 'blob'>,
  repositories: readonly RepositoryName[],
  digest: Digest,
): Promise<BlobRow | undefined> {
  for (const repo of repositories) {
    const row = await graph.blob(repo, digest);
    if (row) return row;
  }
  return undefined;
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
    message: `no record names these ${blob.size} bytes: an upload was given up after they were stored. They do no harm`,
  });
}

export function whereIs({ digest, incarnation }: BlobAddress): string {
  return `blob ${digest}, incarnation ${incarnation}`;
}
