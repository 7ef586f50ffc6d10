import type { ArchiveImage } from '#archive/archive-image';
import { readArchive } from '#archive/read-archive';
import { canonicalJson } from '#core/canonical-json';
import type { Platform } from '#core/commit';
import { digestOf, hexOf } from '#core/digest';
import { isVarveError, VarveError } from '#core/error';
import type { RepositoryName } from '#core/name';
import { decompress } from '#layer/decompress';
import type { ReceivedLayer } from '#layer/receive-layer';
import type { LoadedImage, LoadedRepository, LoadReport } from './load-report.js';
import { compareWithGraph, type RepositoryLoad } from './load-repository.js';
import { LoadStaging } from './load-staging.js';
import { type RepositoryTarget, repositoryTargets } from './load-target.js';
import { planImages } from './plan-images.js';
import type { WriteContext } from './write.js';
import { type Loading, type LoadStores, type PreparedLoad, seenOutcome, writeLoad } from './write-load.js';

export interface LoadOptions {
  /** The archive: a tar, plain or compressed as a whole. */
  readonly source: AsyncIterable<Uint8Array>;
  /** Where everything goes; null: where the archive's names say. */
  readonly repo: RepositoryName | null;
  /** Refs that are elsewhere are moved, from the value they had when the load looked. */
  readonly moveTags: boolean;
  /** Of an image for several platforms, this one. */
  readonly platform?: Platform | null | undefined;
  /** Told the bytes of the archive that were read so far. */
  readonly onProgress?: ((bytesRead: number) => void) | undefined;
}

/**
 * Takes an image archive into the repositories its names say: layers in one pass while they arrive, then one record for
 * each repository, which is made when it is not there. Loading again what was loaded adds nothing. Before a record is
 * appended, every new commit's tree has been planned, every ref has been looked at, and all bytes are durable; until
 * then a failure leaves nothing behind. Repositories are written one after the other: of several, the first may be
 * there when a later one fails.
 * @throws ARCHIVE_INVALID, MANIFEST_INVALID, LAYER_INVALID, DIGEST_MISMATCH, SIZE_MISMATCH, BLOB_MISSING, NAME_INVALID,
 *   REQUEST_INVALID (no repository is named; two images for one ref), UNSUPPORTED, TAG_IMMUTABLE, NOT_FAST_FORWARD,
 *   LIMIT_EXCEEDED, STORAGE_FULL, and what `Submitter.submit` throws
 * @see design 0 "Archives to commits", "Repository and ref of a load"
 */
export async function loadArchive(
  stores: LoadStores,
  options: LoadOptions,
  context: WriteContext,
): Promise<LoadReport> {
  const staging = new LoadStaging(stores.blobs);
  try {
    const counted = new CountedSource(options.source, options.onProgress);
    const receive = (bytes: AsyncIterable<Uint8Array>) => staging.receive(bytes);
    const { images, warnings } = await readArchive(plainBytes(counted), { receive, platform: options.platform });
    const recorded = await recordImages(stores, { ...options, images, staging }, context);
    return { ...recorded, bytesRead: counted.bytesRead, warnings };
  } finally {
    await staging.discard();
  }
}

/** Images whose layers a staging holds, on their way into the repositories that they name. */
export interface ImagesToRecord extends Pick<LoadOptions, 'repo' | 'moveTags'> {
  readonly images: readonly ArchiveImage<ReceivedLayer>[];
  readonly staging: LoadStaging;
}

/** Plans and writes images. The caller discards the staging in the end. @throws as `loadArchive` does */
export async function recordImages(
  stores: LoadStores,
  { images, staging, ...options }: ImagesToRecord,
  context: WriteContext,
): Promise<Pick<LoadReport, 'images' | 'repositories'>> {
  const targets = repositoryTargets(images, options.repo);
  const asked = { ...context, request: requestOf(options, targets, staging) };
  const loading = { moveTags: options.moveTags, context: asked, staging };

  const loads = await prepareAll(stores, targets, loading);
  const repositories: LoadedRepository[] = [];
  for (const load of loads) repositories.push(await writeLoad(stores, load, loading));
  return { images: loads.flatMap(reportImages), repositories };
}

/** Everything that can be refused is refused here, for all repositories, before anything is made visible. */
async function prepareAll(
  stores: LoadStores,
  targets: readonly RepositoryTarget[],
  loading: Loading,
): Promise<PreparedLoad[]> {
  const loads: PreparedLoad[] = [];
  for (const target of targets) loads.push(await prepare(stores, target, loading));
  for (const { seen, target, commits } of loads) {
    if (!seen) await planImages(target, new Set(commits.map(({ id }) => id)), loading.staging);
  }
  return loads;
}

/** A retry is answered as the first call was, also when the refs have moved on since. */
async function prepare(
  { graph, submitter }: LoadStores,
  target: RepositoryTarget,
  { moveTags, context }: Loading,
): Promise<PreparedLoad> {
  // The refs first, the outcome second: the other order could take an outcome's own effect for a lost race.
  const comparison = compareWithGraph(graph, target, { moveTags });
  await Promise.allSettled([comparison]);
  const seen = await seenOutcome(submitter, target.repo, context);
  return seen
    ? { ...(await compareWithGraph(graph, target, { moveTags: true })), seen }
    : { ...(await comparison), seen };
}

function reportImages({ target, commits, layers }: RepositoryLoad): LoadedImage[] {
  const isNew = new Set(commits.map(({ id }) => id));
  const isStored = new Set(layers.map(({ digest }) => digest));
  return target.images.map((image) => ({
    repo: target.repo,
    title: image.title,
    refs: image.refs,
    commit: image.tip,
    commits: image.commits.length,
    commitsNew: image.commits.filter(({ id }) => isNew.has(id)).length,
    layers: image.layers.length,
    layersNew: image.layers.filter(({ digest }) => isStored.has(digest)).length,
    virtualBytes: image.layers.reduce((sum, { tarBytes }) => sum + tarBytes, 0),
  }));
}

/** What makes it this load and no other: the options, and what the archive turned out to hold. */
function requestOf(
  { repo, moveTags }: Pick<LoadOptions, 'repo' | 'moveTags'>,
  targets: readonly RepositoryTarget[],
  { layerDigests }: LoadStaging,
): string {
  const refs = targets.flatMap((target) =>
    target.images.flatMap(({ tip, refs: names }) => names.map((ref) => [target.repo, ref, tip])),
  );
  return hexOf(digestOf(canonicalJson({ operation: 'load', repo, moveTags, refs, layers: layerDigests.toSorted() })));
}

/** The archive without the compression of the whole, which `docker load` takes as well. */
async function* plainBytes(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* (await decompress(source)).bytes;
  } catch (cause) {
    if (!isVarveError(cause, 'LAYER_INVALID')) throw cause;
    throw new VarveError('ARCHIVE_INVALID', `archive refused: ${cause.message}`, cause.detail, { cause });
  }
}

class CountedSource implements AsyncIterable<Uint8Array> {
  readonly #source: AsyncIterable<Uint8Array>;
  readonly #onProgress: LoadOptions['onProgress'];
  bytesRead = 0;

  constructor(source: AsyncIterable<Uint8Array>, onProgress: LoadOptions['onProgress']) {
    this.#source = source;
    this.#onProgress = onProgress;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for await (const bytes of this.#source) {
      this.bytesRead += bytes.length;
      this.#onProgress?.(this.bytesRead);
      yield bytes;
    }
  }
}
