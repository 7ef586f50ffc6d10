import { isVarveError, type VarveError } from '#core/error';
import type { NamedBlob } from '#core/event';
import type { RepositoryName } from '#core/name';
import type { BlobStore } from '#ports/blob-store';
import type { GraphReader } from '#ports/graph-store';
import { splitDraft } from './draft.js';
import { fencedTriesMax, isFenced } from './fenced.js';
import type { LoadedRepository } from './load-report.js';
import { compareWithGraph, draftOf, isNothing, type RepositoryLoad, sealBlobs } from './load-repository.js';
import type { LoadStaging } from './load-staging.js';
import type { Submitter } from './submitter.js';
import { isUndecided } from './undecided.js';
import type { WriteContext, Written } from './write.js';

export interface LoadStores {
  readonly graph: GraphReader;
  readonly submitter: Submitter;
  readonly blobs: BlobStore;
}

/** What all steps of one load share. */
export interface Loading {
  readonly moveTags: boolean;
  readonly context: WriteContext;
  readonly staging: LoadStaging;
}

/** A load that is ready to be written, or that an earlier call with the same key has written. */
export type PreparedLoad = RepositoryLoad & { readonly seen: Written | undefined };

/**
 * Writes what a repository does not have yet: blobs first, then the record that names them. What was sealed for a
 * record that certainly never takes effect is taken away again when the load ends. When a fence came in between, it looks
 * again and names fresh copies.
 * @throws what `Submitter.submit` throws
 */
export async function writeLoad(stores: LoadStores, load: PreparedLoad, loading: Loading): Promise<LoadedRepository> {
  if (load.seen) return report(load, load.seen, []);
  let next: RepositoryLoad = load;
  for (let triesLeft = fencedTriesMax; ; triesLeft -= 1) {
    try {
      return await writeOnce(stores, next, loading);
    } catch (error) {
      if (!isFenced(error) || triesLeft === 0) throw error;
    }
    loading.staging.copyAgain();
    next = await compareWithGraph(stores.graph, load.target, loading);
  }
}

async function writeOnce(stores: LoadStores, load: RepositoryLoad, loading: Loading): Promise<LoadedRepository> {
  if (isNothing(load)) return report(load, await stores.submitter.nothingWritten(load.target.repo), []);
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
  before: RepositoryLoad,
  { error, ...loading }: Loading & { readonly error: VarveError },
): Promise<LoadedRepository> {
  const { target } = before;
  const now = await compareWithGraph(stores.graph, target, loading);
  // Some copies were sealed before this look at the graph, so what it tells of fences is of no use for them.
  const load = { ...now, gcEpoch: before.gcEpoch };
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

/** The step of a load that found its new repository made by someone else. */
const intoExisting = 'into-existing';

/** What an earlier call with the same idempotency key wrote. @throws as `Submitter.seenOutcome` does */
export async function seenOutcome(
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
