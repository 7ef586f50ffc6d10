import { readArchive } from '#archive/read-archive';
import { canonicalJson } from '#core/canonical-json';
import type { Platform } from '#core/commit';
import { digestOf, hexOf } from '#core/digest';
import { isVarveError, VarveError } from '#core/error';
import type { NamedBlob } from '#core/event';
import type { RepositoryName } from '#core/name';
import { decompress } from '#layer/decompress';
import type { BlobStore } from '#ports/blob-store';
import type { GraphReader } from '#ports/graph-store';
import { splitDraft } from './draft.js';
import type { LoadedImage, LoadedRepository, LoadReport } from './load-report.js';
import { compareWithGraph, draftOf, isNothing, type RepositoryLoad, sealBlobs } from './load-repository.js';
import { LoadStaging } from './load-staging.js';
import { type RepositoryTarget, repositoryTargets } from './load-target.js';
import { planImages } from './plan-images.js';
import type { Submitter } from './submitter.js';
import { isUndecided } from './undecided.js';
import type { WriteContext, Written } from './write.js';

export interface LoadStores {
  readonly graph: GraphReader;
  readonly submitter: Submitter;
  readonly blobs: BlobStore;
}

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
    const targets = repositoryTargets(images, options.repo);
    const asked = { ...context, request: requestOf(options, targets, staging) };

    const loads = await prepareAll(stores, targets, { options, context: asked, staging });
    const repositories: LoadedRepository[] = [];
    for (const load of loads) repositories.push(await write(stores, load, { options, context: asked, staging }));
    return { images: loads.flatMap(reportImages), repositories, bytesRead: counted.bytesRead, warnings };
  } finally {
    await staging.discard();
  }
}

/** What all steps of one load share. */
interface Loading {
  readonly options: LoadOptions;
  readonly context: WriteContext;
  readonly staging: LoadStaging;
}

/** A load that is ready to be written, or that an earlier call with the same key has written. */
type Prepared = RepositoryLoad & { readonly seen: Written | undefined };

/** Everything that can be refused is refused here, for all repositories, before anything is made visible. */
async function prepareAll(
  { graph, submitter }: LoadStores,
  targets: readonly RepositoryTarget[],
  { options, context, staging }: Loading,
): Promise<Prepared[]> {
  const loads: Prepared[] = [];
  for (const target of targets) {
    // A retry is answered as the first call was, also when the refs have moved on since.
    const seen = await seenOutcome(submitter, target.repo, context);
    const load = await compareWithGraph(graph, target, { moveTags: options.moveTags || seen !== undefined });
    loads.push({ ...load, seen });
  }
  for (const load of loads) {
    if (!load.seen) await planImages(load.target, new Set(load.commits.map(({ id }) => id)), staging);
  }
  return loads;
}

/** The step of a load that found its new repository made by someone else. */
const intoExisting = 'into-existing';

async function seenOutcome(
  submitter: Submitter,
  repo: RepositoryName,
  context: WriteContext,
): Promise<Written | undefined> {
  try {
    return await submitter.seenOutcome(repo, context);
  } catch (error) {
    if (!isVarveError(error, 'REPOSITORY_EXISTS')) throw error;
    return submitter.seenOutcome(repo, context, intoExisting);
  }
}

async function write(stores: LoadStores, load: Prepared, loading: Loading): Promise<LoadedRepository> {
  const { repo } = load.target;
  if (load.seen) return report(load, load.seen, []);
  if (isNothing(load)) return report(load, await stores.submitter.nothingWritten(repo), []);
  const blobs = await sealBlobs(load, loading.staging);
  try {
    return report(load, await propose(stores, load, { ...loading, blobs }), blobs);
  } catch (error) {
    if (!isVarveError(error, 'REPOSITORY_EXISTS') && !isVarveError(error, 'REF_STALE')) throw error;
    return writeAfterRace(stores, load, { ...loading, error });
  }
}

/**
 * Somebody moved the same refs, or made the same repository, since the load looked. If it was the same load, there is
 * nothing left to do; into a repository that is there by now it goes as into any other; a ref that was moved elsewhere
 * is for the caller to decide.
 */
async function writeAfterRace(
  stores: LoadStores,
  before: Prepared,
  { error, ...loading }: Loading & { readonly error: VarveError },
): Promise<LoadedRepository> {
  const { target } = before;
  const load = await compareWithGraph(stores.graph, target, loading.options);
  if (isNothing(load)) return report(load, await stores.submitter.nothingWritten(target.repo), []);
  if (error.code !== 'REPOSITORY_EXISTS') throw error;
  const blobs = await sealBlobs(load, loading.staging);
  return report(load, await propose(stores, load, { ...loading, blobs, step: intoExisting }), blobs);
}

async function propose(
  { submitter }: LoadStores,
  load: RepositoryLoad,
  { staging, context, blobs, step }: Loading & { readonly blobs: readonly NamedBlob[]; readonly step?: string },
): Promise<Written> {
  const draft = { ...draftOf(load, blobs), ...(step === undefined ? {} : { step }) };
  const update = { ...draft, type: 'ref.update.v1' } as const;
  const isOneRecord = splitDraft(update).before.length === 0;
  staging.propose(blobs);
  try {
    // More than one record holds needs a repository to go into first.
    if (draft.type !== 'repo.create.v1' || isOneRecord) return await submitter.submit(draft, context);
    await submitter.submit({ ...draft, commits: [], blobs: [], updates: [], step: 'create' }, context);
    return await submitter.submit(update, context);
  } catch (error) {
    if (isOneRecord && !isUndecided(error)) staging.withdraw(blobs);
    throw error;
  }
}

function report(load: RepositoryLoad, written: Written, blobs: readonly NamedBlob[]): LoadedRepository {
  return {
    repo: load.target.repo,
    isNew: load.isNewRepository,
    commitsNew: written.outcome.commits.length,
    layersNew: blobs.filter(({ layer }) => layer !== null).length,
    bytesStored: blobs.reduce((sum, { size }) => sum + size, 0),
    written,
  };
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
  { repo, moveTags }: LoadOptions,
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
