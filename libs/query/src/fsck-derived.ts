import { type ChainId, DigestBuilder, type DiffId, hexOf } from '#core/digest';
import { isVarveError } from '#core/error';
import type { Tarball } from '#core/job';
import { bodyPackVersion } from '#layer/body-pack';
import { checkBodyPack } from '#layer/check-body-pack';
import type { BlobReader, BlobStore, DerivedAddress, StoredDerived } from '#ports/blob-store';
import type { Orphan, Provenance } from '#ports/provenance';
import { streamBlob } from '#ports/read-blob';
import { isWholeTree, treeCodecVersion } from '#union/tree-codec';
import { checked, found, type FsckStep } from './fsck-finding.js';

/** What derived bytes are held against. */
export interface DerivedSources {
  readonly blobs: Pick<BlobStore, 'derived' | 'open' | 'stat'>;
  /** Of each kind that is swept. */
  readonly provenances: readonly Provenance[];
  /** Whether an entry of a layer is a file with holes. */
  readonly isSparse: (diffId: DiffId, entry: number) => Promise<boolean>;
  /** Every tarball that lies ready. */
  tarballs(): AsyncIterable<Tarball>;
}

export interface DerivedScope {
  /** Compare sizes and read nothing. */
  readonly quick: boolean;
  /** What was stored later, ms, may not be named yet: its upload goes on. */
  readonly storedBefore: number;
}

/**
 * Derived bytes that no layer of a commit leads to: merged trees, packs, tarballs; and of every kind what comes from
 * nothing that there still is. Holds a page of one kind, and one piece of one object. @throws UNAVAILABLE
 */
export async function* checkDerived(sources: DerivedSources, scope: DerivedScope): AsyncGenerator<FsckStep> {
  for (const provenance of sources.provenances) yield* checkKind(sources, scope, provenance);
  for await (const tarball of sources.tarballs()) yield* checkTarball(sources.blobs, scope, tarball);
}

async function* checkKind(
  sources: DerivedSources,
  scope: DerivedScope,
  provenance: Provenance,
): AsyncGenerator<FsckStep> {
  let page: StoredDerived[] = [];
  for await (const stored of sources.blobs.derived(provenance.kind)) {
    page.push(stored);
    if (page.length < provenance.pageSize) continue;
    yield* checkPage(sources, scope, { provenance, page });
    page = [];
  }
  yield* checkPage(sources, scope, { provenance, page });
}

async function* checkPage(
  sources: DerivedSources,
  { quick, storedBefore }: DerivedScope,
  { provenance, page }: { readonly provenance: Provenance; readonly page: readonly StoredDerived[] },
): AsyncGenerator<FsckStep> {
  if (page.length === 0) return;
  const orphans = new Map((await provenance.orphansOf(page)).map((orphan) => [orphan.address.key, orphan]));
  for (const stored of page) {
    const orphan = orphans.get(stored.address.key);
    if (orphan && stored.modifiedAt < storedBefore) yield unreferenced(orphan);
    if (!orphan && !quick) yield* checkObject(sources, stored);
  }
}

async function* checkObject(sources: DerivedSources, { address, size }: StoredDerived): AsyncGenerator<FsckStep> {
  const { kind, version } = address;
  const isTree = kind === 'tree' && version === treeCodecVersion;
  const isPack = kind === 'pack' && version === bodyPackVersion;
  if (!isTree && !isPack) return;
  const reader = await openIfHeld(sources.blobs, address);
  if (!reader) return;
  try {
    if (isPack) yield* checkPack(sources, address, reader);
    else if (!(await isWholeTree(reader, address.key as ChainId))) yield damagedTree(address);
    yield checked('bytes', size);
  } finally {
    await reader.close();
  }
}

async function* checkPack(
  { isSparse }: DerivedSources,
  address: DerivedAddress,
  reader: BlobReader,
): AsyncGenerator<FsckStep> {
  try {
    for await (const { diffId, entry, isSound } of checkBodyPack(reader, address.key)) {
      if (isSound !== false || (await isSparse(diffId, entry))) continue;
      yield damagedPack(
        address,
        `it has other bytes for entry ${entry} of layer ${diffId} than the file of that entry`,
      );
      return;
    }
  } catch (error) {
    if (!isVarveError(error, 'CORRUPT')) throw error;
    yield damagedPack(address, 'it is not whole, or not the pack of its key');
  }
}

async function* checkTarball(
  blobs: DerivedSources['blobs'],
  { quick }: DerivedScope,
  tarball: Tarball,
): AsyncGenerator<FsckStep> {
  const address: DerivedAddress = { kind: 'tarball', version: tarball.version, key: tarball.key };
  const size = await blobs.stat(address);
  if (size === undefined) yield missingTarball(tarball, address);
  else if (size !== tarball.sizeBytes) {
    yield damagedTarball(tarball, address, `it has ${size} bytes, not ${tarball.sizeBytes}`);
  } else if (!quick) yield* hashTarball(blobs, tarball, address);
}

async function* hashTarball(
  blobs: DerivedSources['blobs'],
  tarball: Tarball,
  address: DerivedAddress,
): AsyncGenerator<FsckStep> {
  const reader = await openIfHeld(blobs, address);
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
  if (actual === tarball.digest) return;
  yield damagedTarball(tarball, address, `its bytes hash to ${actual}, not to ${tarball.digest}`);
}

/** Undefined when it was removed while we listed. */
async function openIfHeld(blobs: Pick<BlobStore, 'open'>, address: DerivedAddress): Promise<BlobReader | undefined> {
  try {
    return await blobs.open(address);
  } catch (error) {
    if (isVarveError(error, 'BLOB_UNKNOWN')) return undefined;
    throw error;
  }
}

/** Where it lies in the store, below its folder or prefix. */
export function placeOf({ kind, version, key }: DerivedAddress): string {
  const hex = hexOf(key);
  return `derived/${kind}/v${version}/${hex.slice(0, 2)}/${hex}`;
}

function unreferenced({ address, size, why }: Orphan): FsckStep {
  return found('derived-unreferenced', {
    what: address.key,
    where: placeOf(address),
    message: `nothing asks for these ${size} bytes of kind ${address.kind} any more: ${why}. They do no harm. Run varve gc: it removes them when they are old enough`,
  });
}

function damagedTree(address: DerivedAddress): FsckStep {
  return found('tree-differs', {
    what: address.key,
    where: placeOf(address),
    message:
      'the stored merged tree is not what was written. Delete it: it counts as missing, and is made again from the indexes of its layers',
  });
}

function damagedPack(address: DerivedAddress, why: string): FsckStep {
  return found('pack-differs', {
    what: address.key,
    where: placeOf(address),
    message: `the body pack is damaged: ${why}. Delete it while the server is stopped: the layers have its bytes, and it is made again from them`,
  });
}

function damagedTarball({ name }: Tarball, address: DerivedAddress, why: string): FsckStep {
  return found('tarball-differs', {
    what: name,
    where: placeOf(address),
    message: `the precomputed tarball is damaged: ${why}. Delete it: it is made again when it is wanted`,
  });
}

function missingTarball({ name }: Tarball, address: DerivedAddress): FsckStep {
  return found('tarball-missing', {
    what: name,
    where: placeOf(address),
    message: 'the store does not hold it. Nothing needs to be done: it is made again when it is wanted',
  });
}
