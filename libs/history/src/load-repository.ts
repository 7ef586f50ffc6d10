import type { ArchiveDocument, ArchiveImage } from '#archive/archive-image';
import type { EncodedCommit } from '#core/commit';
import type { Digest } from '#core/digest';
import { VarveError } from '#core/error';
import type { NamedBlob } from '#core/event';
import { mediaType } from '#core/media-type';
import { branchRef, isTag, type RefName, type RepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import type { RefUpdate, RefValue } from '#core/ref';
import type { ReceivedLayer } from '#layer/receive-layer';
import type { GraphReader } from '#ports/graph-store';
import { checkTombstone } from './check-move.js';
import type { ProposalDraft } from './draft.js';
import type { LoadStaging } from './load-staging.js';
import type { ImageTarget, RepositoryTarget } from './load-target.js';

/** What a repository does not have yet of what is loaded into it. All empty: loading it again adds nothing. */
export interface RepositoryLoad {
  readonly target: RepositoryTarget;
  readonly isNewRepository: boolean;
  readonly commits: readonly EncodedCommit[];
  readonly layers: readonly ReceivedLayer[];
  readonly documents: readonly { readonly document: ArchiveDocument; readonly mediaType: string }[];
  readonly updates: readonly RefUpdate[];
  /** The fence before any blob was sealed. */
  readonly gcEpoch: number;
}

/** Compares a target with the graph. @throws TAG_IMMUTABLE, TAG_TOMBSTONED, NOT_FAST_FORWARD: a ref is or was elsewhere, and `moveTags` is not set */
export async function compareWithGraph(
  graph: GraphReader,
  target: RepositoryTarget,
  { moveTags }: { readonly moveTags: boolean },
): Promise<RepositoryLoad> {
  const { repo, images } = target;
  const { partition } = await graph.checkpoint(partitionOf(repo, graph.partitionCount));
  const repository = await graph.repository(repo);
  const updates: RefUpdate[] = [];
  for (const image of images) {
    for (const ref of image.refs) {
      const at = (await graph.ref(repo, ref)) ?? { commit: null, version: repository?.floor ?? 0 };
      if (at.commit === image.tip) continue;
      if (!moveTags) await checkTombstone(graph, { repo, ref, to: image.tip, actual: at });
      updates.push(moveOf({ repo, ref, at, image, moveTags }));
    }
  }
  const commits = await newCommits(graph, target);
  const isNew = new Set(commits.map(({ id }) => id));
  const fresh = images.filter((image) => image.commits.some(({ id }) => isNew.has(id)));
  return {
    target,
    isNewRepository: repository === undefined,
    commits,
    layers: await layersToStore(graph, repo, fresh),
    documents: await documentsToStore(graph, repo, fresh),
    updates,
    gcEpoch: partition.gcEpoch,
  };
}

export function isNothing({ commits, updates }: RepositoryLoad): boolean {
  return commits.length === 0 && updates.length === 0;
}

/** Makes the blobs of a load durable: before the record that names them, always. */
export async function sealBlobs(load: RepositoryLoad, staging: LoadStaging): Promise<readonly NamedBlob[]> {
  const sealed: NamedBlob[] = [];
  for (const layer of load.layers) sealed.push(await staging.sealLayer(layer));
  for (const { document, mediaType: type } of load.documents) sealed.push(await staging.sealDocument(document, type));
  return sealed;
}

/** One record for all that a repository gets, and for the repository itself when it is new. */
export function draftOf(load: RepositoryLoad, blobs: readonly NamedBlob[]): ProposalDraft {
  const { target, commits, updates, gcEpoch } = load;
  const draft = { repo: target.repo, operation: 'load', commits, blobs, updates, gcEpoch } as const;
  return load.isNewRepository
    ? { ...draft, type: 'repo.create.v1', defaultBranch: branchRef('main') }
    : { ...draft, type: 'ref.update.v1' };
}

async function newCommits(graph: GraphReader, { repo, images }: RepositoryTarget): Promise<EncodedCommit[]> {
  const all = new Map(images.flatMap(({ commits }) => commits).map((commit) => [commit.id, commit]));
  const found: EncodedCommit[] = [];
  for (const commit of all.values()) if (!(await graph.commit(repo, commit.id))) found.push(commit);
  return found;
}

/**
 * A layer the repository's log knows already, in any encoding, is not stored again; but an image with a manifest is
 * served byte for byte, so its very blobs must be there.
 */
async function layersToStore(
  graph: GraphReader,
  repo: RepositoryName,
  images: readonly ImageTarget[],
): Promise<ReceivedLayer[]> {
  const stored = new Map<Digest, ReceivedLayer>();
  for (const { image, layers } of images) {
    const isExact = image.type !== 'chained' && image.manifest !== null;
    for (const layer of layers) {
      if (isExact ? await isLive(graph, repo, layer.digest) : await isBound(graph, repo, layer)) continue;
      stored.set(layer.digest, layer);
    }
  }
  return [...stored.values()];
}

async function documentsToStore(
  graph: GraphReader,
  repo: RepositoryName,
  images: readonly ImageTarget[],
): Promise<RepositoryLoad['documents']> {
  const found = new Map<Digest, RepositoryLoad['documents'][number]>();
  for (const one of images.flatMap(({ image }) => documentsOf(image))) {
    const { digest } = one.document;
    if (!found.has(digest) && !(await isLive(graph, repo, digest))) found.set(digest, one);
  }
  return [...found.values()];
}

function documentsOf(image: ArchiveImage<ReceivedLayer>): RepositoryLoad['documents'] {
  if (image.type === 'chained') {
    return image.chain.map(({ document }) => ({ document, mediaType: mediaType.legacyConfig }));
  }
  if (image.type === 'indexed') {
    const { document, descriptor } = image.manifest;
    return [
      ...image.members.flatMap((member) => documentsOf(member.image)),
      { document, mediaType: descriptor.mediaType },
    ];
  }
  const config = { document: image.configDocument, mediaType: image.configMediaType };
  if (!image.manifest) return [config];
  return [config, { document: image.manifest.document, mediaType: image.manifest.descriptor.mediaType }];
}

async function isBound(graph: GraphReader, repo: RepositoryName, { diffId }: ReceivedLayer): Promise<boolean> {
  const row = await graph.layer(repo, diffId);
  for (const { digest } of row?.encodings ?? []) if (await isLive(graph, repo, digest)) return true;
  return false;
}

async function isLive(graph: GraphReader, repo: RepositoryName, digest: Digest): Promise<boolean> {
  return (await graph.blob(repo, digest))?.retiredEpoch === null;
}

interface Move {
  readonly repo: RepositoryName;
  readonly ref: RefName;
  readonly at: RefValue;
  readonly image: ImageTarget;
  readonly moveTags: boolean;
}

/** The move of a ref from the value read; asked for when it would lose something. */
function moveOf({ repo, ref, at, image, moveTags }: Move): RefUpdate {
  const to = image.tip;
  if (moveTags) return { ref, expect: at, to, mode: 'force' };
  const detail = { repository: repo, ref, actual: at, to };
  if (at.commit !== null && isTag(ref)) {
    const message = `tag ${ref} of ${repo} is at ${at.commit}; the archive has ${to} under that name: move it by asking for it`;
    throw new VarveError('TAG_IMMUTABLE', message, detail);
  }
  if (at.commit !== null && !image.commits.some(({ id }) => id === at.commit)) {
    const message = `${ref} of ${repo} is at ${at.commit}, and ${to} of the archive does not descend from it`;
    throw new VarveError('NOT_FAST_FORWARD', message, detail);
  }
  return { ref, expect: at, to, mode: 'ff' };
}
