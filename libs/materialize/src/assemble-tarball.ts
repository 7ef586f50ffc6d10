import { type Digest, DigestBuilder } from '#core/digest';
import { VarveError } from '#core/error';
import type { CommitRow } from '#core/graph-row';
import type { JobProgress, RootfsWish, TarballKey } from '#core/job';
import type { LayerStore } from '#layer/layer-store';
import type { BlobStore, DerivedAddress } from '#ports/blob-store';
import type { GraphReader } from '#ports/graph-store';
import { streamBlob } from '#ports/read-blob';
import { layerStackOf } from '#ports/read-stack';
import { planRootfsInTurns, type RootfsPlan } from '#union/rootfs-plan';
import type { TreeStore } from '#union/tree-store';
import { compressTar } from './compress-tar.js';
import { compressionOf } from './tarball-name.js';
import { writeRootfs } from './write-rootfs.js';

/** Where layers come from and tarballs go. */
export interface TarballSources {
  readonly graph: GraphReader;
  readonly blobs: BlobStore;
  readonly layers: Pick<LayerStore, 'open'>;
  readonly trees: Pick<TreeStore, 'tree' | 'knownStack'>;
}

export interface AssemblyOptions {
  /** Where the bytes go. No other try has this key. */
  readonly key: TarballKey;
  /** Looked at with every layer and every MiB; its reason is thrown. */
  readonly signal: AbortSignal;
  /** Called often; it returns when the next bytes may be made. */
  readonly onProgress: (progress: JobProgress) => Promise<void>;
  /** Called once, before the bytes become visible. */
  readonly beforeSeal: () => Promise<void>;
}

export function tarballAddress({ key, version }: TarballKey): DerivedAddress {
  return { kind: 'tarball', version, key };
}

/**
 * Stores the tarball of a wish and reads it back. Whatever it throws, the bytes are not visible, or they are and were
 * told to `beforeSeal`. @throws COMMIT_UNKNOWN, LAYER_INVALID, LIMIT_EXCEEDED, BLOB_UNKNOWN, CORRUPT, UNAVAILABLE,
 * STORAGE_FULL, and the reason of the signal
 */
export async function assembleTarball(
  sources: TarballSources,
  wish: RootfsWish,
  options: AssemblyOptions,
): Promise<{ readonly sizeBytes: number; readonly digest: Digest }> {
  await options.onProgress({ phase: 'planning', doneBytes: 0, totalBytes: null });
  const plan = await planOf(sources, wish);
  options.signal.throwIfAborted();
  const written = await storeTar(sources, { wish, plan, options });
  await checkStored(sources.blobs, written, options);
  return written;
}

async function planOf({ graph, trees }: TarballSources, { repo, commit, chainId }: RootfsWish): Promise<RootfsPlan> {
  const row = await graph.commit(repo, commit);
  if (row?.chainId !== chainId) throw unknownCommit(repo, commit, row);
  return planRootfsInTurns(await trees.tree(repo, await layerStackOf(graph, trees, row)));
}

async function storeTar(
  { blobs, layers }: TarballSources,
  { wish, plan, options }: { readonly wish: RootfsWish; readonly plan: RootfsPlan; readonly options: AssemblyOptions },
): Promise<{ readonly sizeBytes: number; readonly digest: Digest }> {
  const { signal, key, onProgress } = options;
  const tar = writeRootfs(plan, async (diffId) => {
    signal.throwIfAborted();
    return layers.open(wish.repo, diffId);
  });
  const compression = compressionOf[wish.format];
  const watched = watch(tar, options, plan.length);
  const address = tarballAddress(key);
  const staged = await blobs.stageDerived({ address, sizeBytesMax: sizeBytesMax(plan.length) });
  const hash = new DigestBuilder();
  try {
    for await (const piece of compression === null ? watched : compressTar(watched, compression)) {
      signal.throwIfAborted();
      hash.update(piece);
      await staged.write(piece);
    }
    await onProgress({ phase: 'writing', doneBytes: plan.length, totalBytes: plan.length });
    signal.throwIfAborted();
    await options.beforeSeal();
    await staged.seal(address);
    return { sizeBytes: hash.size, digest: hash.digest() };
  } finally {
    await staged.discard();
  }
}

/** What no compressor makes grow has room in this: both add some bytes to each block at the most. */
function sizeBytesMax(tarBytes: number): number {
  return tarBytes + Math.ceil(tarBytes / 256) + (64 << 10);
}

/** The plain tar, counted while it passes: of a compressed one nobody knows how much it will be. */
async function* watch(
  tar: AsyncGenerator<Uint8Array>,
  { signal, onProgress }: AssemblyOptions,
  totalBytes: number,
): AsyncGenerator<Uint8Array> {
  let doneBytes = 0;
  for await (const chunk of tar) {
    signal.throwIfAborted();
    yield chunk;
    doneBytes += chunk.length;
    await onProgress({ phase: 'writing', doneBytes, totalBytes });
  }
}

/** What a store took is not always what it gives: only bytes that were read back are published. */
async function checkStored(
  blobs: BlobStore,
  { sizeBytes, digest }: { readonly sizeBytes: number; readonly digest: Digest },
  { key, signal, onProgress }: AssemblyOptions,
): Promise<void> {
  const reader = await blobs.open(tarballAddress(key));
  const hash = new DigestBuilder();
  try {
    for await (const piece of streamBlob(reader)) {
      signal.throwIfAborted();
      hash.update(piece);
      await onProgress({ phase: 'verifying', doneBytes: hash.size, totalBytes: sizeBytes });
    }
  } finally {
    await reader.close();
  }
  const stored = hash.digest();
  if (stored === digest) return;
  const message = `the blob store gives back ${reader.size} bytes with digest ${stored}; it was given ${sizeBytes} with ${digest}`;
  throw new VarveError('UNAVAILABLE', message, { expected: digest, actual: stored });
}

function unknownCommit(repo: string, commit: string, row: CommitRow | undefined): VarveError {
  const found = row ? `stands for another stack in ${repo}: ${row.chainId}` : `is not in ${repo}`;
  return new VarveError('COMMIT_UNKNOWN', `commit ${commit} ${found}`, { repo, commit });
}
