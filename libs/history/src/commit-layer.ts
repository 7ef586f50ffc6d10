import { type Commit, type CommitId, decodeCommit, encodeCommit, type EncodedCommit, newCommit } from '#core/commit';
import type { Digest } from '#core/digest';
import { VarveError } from '#core/error';
import type { CommitRow } from '#core/graph-row';
import { formatPlatform } from '#core/manifest';
import { emptyStack } from '#core/layer-stack';
import type { RefName, RepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import { type RefValue, sameRefValue } from '#core/ref';
import type { ReceivedLayer } from '#layer/receive-layer';
import type { BlobStore } from '#ports/blob-store';
import type { GraphReader } from '#ports/graph-store';
import { layerStackOf } from '#ports/read-stack';
import type { TreeStore } from '#union/tree-store';
import { CommitCopies } from './commit-copies.js';
import { fencedTriesMax, isFenced } from './fenced.js';
import { readRef } from './read-ref.js';
import { staleRef } from './refusal.js';
import type { Submitter } from './submitter.js';
import { isUndecided } from './undecided.js';
import type { WriteContext, Written } from './write.js';

export interface CommitLayerStores {
  readonly graph: GraphReader;
  readonly submitter: Submitter;
  readonly trees: TreeStore;
  readonly blobs: BlobStore;
}

/** A layer on a branch, with its message. No layer: a commit that says something and changes no file. */
export interface LayerCommit {
  readonly repo: RepositoryName;
  readonly branch: RefName;
  readonly layer: ReceivedLayer | null;
  readonly message: string;
  readonly author: string;
  readonly time: string | null;
  readonly labels: Readonly<Record<string, string>>;
  /** Absent: what the branch is when the call is made. */
  readonly expect?: RefValue | undefined;
}

/**
 * Puts a commit on the tip of a branch. It carries on the tip's config and platform, and it is proposed only if its
 * tree can be planned. The layer's bytes are made visible just before the record is appended and are taken away again
 * when the record is refused, so a failure leaves nothing behind. A branch that is not there is made only in a
 * repository without commits.
 * @throws REPOSITORY_UNKNOWN, REF_UNKNOWN, REVISION_AMBIGUOUS (the tip is an image for several platforms), REF_STALE, LAYER_INVALID, COMMIT_INVALID, LIMIT_EXCEEDED, and what
 * `Submitter.submit` throws
 */
export async function commitLayer(
  stores: CommitLayerStores,
  request: LayerCommit,
  context: WriteContext,
): Promise<Written & { readonly commit: CommitId }> {
  try {
    return await commitReceived(stores, request, context);
  } finally {
    await request.layer?.discard();
  }
}

async function commitReceived(
  stores: CommitLayerStores,
  request: LayerCommit,
  context: WriteContext,
): Promise<Written & { readonly commit: CommitId }> {
  const { graph, submitter } = stores;
  const { repo, branch, layer, expect } = request;
  const actual = await readRef(graph, repo, branch);
  const seen = await submitter.seenOutcome(repo, context);
  if (seen) return { ...seen, commit: seen.outcome.moves[0]?.commit as CommitId };
  const isBehind = expect !== undefined && actual.version < expect.version;
  if (expect && !isBehind && !sameRefValue(expect, actual)) throw staleRef(repo, { ref: branch, expect }, actual);

  // A graph that went back is behind what the caller has seen, which the fold compares with the branch itself.
  const tip = isBehind ? expect : actual;
  const parent = await readTip(graph, repo, branch, tip);
  if (parent?.commit.index) throw severalPlatforms(request, parent.commit.index);
  await checkTree(stores, repo, parent?.row, layer);
  const commit = commitOn(parent, request);
  const written = await propose(stores, request, { commit, tip, config: parent?.commit.config ?? null }, context);
  // Another call with the same key may have been faster, at another tip.
  return { ...written, commit: written.outcome.moves[0]?.commit ?? commit.id };
}

interface Proposed {
  readonly commit: EncodedCommit;
  readonly tip: RefValue;
  readonly config: Digest | null;
}

/** Seals the copies, proposes the commit, and does so again with fresh ones when a fence came in between. */
async function propose(
  stores: CommitLayerStores,
  { repo, branch, layer }: LayerCommit,
  { commit, tip, config }: Proposed,
  context: WriteContext,
): Promise<Written> {
  const { graph, submitter } = stores;
  const copies = new CommitCopies(stores, { repo, layer, config });
  const update = { ref: branch, expect: tip, to: commit.id, mode: 'ff' } as const;
  const content = { repo, operation: 'commit', commits: [commit], updates: [update] } as const;
  let mayBeNamed = false;
  try {
    for (let triesLeft = fencedTriesMax; ; triesLeft -= 1) {
      const [{ partition }, missing] = await Promise.all([
        // Before the bytes are sealed: a fence that comes after this can take them only if it refuses the record as well.
        graph.checkpoint(partitionOf(repo, graph.partitionCount)),
        copies.missing(),
      ]);
      const blobs = await copies.seal(missing);
      mayBeNamed = true;
      try {
        const draft = { type: 'ref.update.v1', ...content, gcEpoch: partition.gcEpoch, blobs } as const;
        return await submitter.submit(draft, context);
      } catch (error) {
        mayBeNamed = isUndecided(error);
        if (!isFenced(error) || triesLeft === 0) throw error;
      }
    }
  } finally {
    await copies.done({ mayBeNamed });
  }
}

/** A group of images has no files of its own to put a layer on. */
function severalPlatforms({ repo, branch }: LayerCommit, index: NonNullable<Commit['index']>): VarveError {
  const platforms = index.map(({ platform }) => formatPlatform(platform));
  const images = index.map(({ commit }, i) => `${commit.slice(0, 12)} (${platforms[i]})`).join(', ');
  const message = `${branch} of ${repo} is one image for several platforms: put the layer on a branch of ${images}`;
  return new VarveError('REVISION_AMBIGUOUS', message, { repository: repo, ref: branch, platforms });
}

interface Tip {
  readonly row: CommitRow;
  readonly commit: Commit;
}

async function readTip(
  graph: GraphReader,
  repo: RepositoryName,
  branch: RefName,
  value: RefValue,
): Promise<Tip | undefined> {
  const { commit: id } = value;
  if (id === null) {
    if ((await graph.repository(repo))?.commits === 0) return undefined;
    throw new VarveError('REF_UNKNOWN', `there is no branch ${branch} in ${repo}`, { repository: repo, ref: branch });
  }
  const [row, bytes] = await Promise.all([graph.commit(repo, id), graph.commitBytes(repo, id)]);
  if (row && bytes) return { row, commit: decodeCommit(bytes).commit };
  if (!sameRefValue(await readRef(graph, repo, branch), value)) {
    const message = `${branch} of ${repo} is expected at ${id}, which the graph does not show yet; try again`;
    throw new VarveError('UNAVAILABLE', message, { repository: repo, ref: branch, commit: id });
  }
  throw new VarveError('CORRUPT', `${branch} of ${repo} is at ${id}, and the graph does not hold that commit`, {
    commit: id,
  });
}

/** @throws LAYER_INVALID, LIMIT_EXCEEDED when the layer does not fit on the stack */
async function checkTree(
  { graph, trees }: CommitLayerStores,
  repo: RepositoryName,
  parent: CommitRow | undefined,
  layer: ReceivedLayer | null,
): Promise<void> {
  if (!layer) return;
  const stack = parent ? await layerStackOf(graph, trees, parent) : emptyStack;
  await trees.treeWith(repo, stack, { diffId: layer.diffId, index: await layer.readIndex() });
}

function commitOn(parent: Tip | undefined, { layer, message, author, time, labels }: LayerCommit): EncodedCommit {
  return encodeCommit(
    newCommit({
      parents: parent ? [parent.row.id] : [],
      layers: layer ? [layer.diffId] : [],
      config: parent?.commit.config ?? null,
      platform: parent?.commit.platform ?? null,
      message,
      author,
      time,
      labels,
    }),
  );
}
