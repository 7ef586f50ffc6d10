import { type CommitId } from '#core/commit';
import { VarveError } from '#core/error';
import type { RefName, RepositoryName } from '#core/name';
import { formatPosition } from '#core/position';
import type { RefValue } from '#core/ref';
import { commitLayer } from '#history/commit-layer';
import type { WriteContext } from '#history/write';
import { copyBlob } from '#layer/copy-blob';
import { type ReceivedLayer, receiveLayer } from '#layer/receive-layer';
import { knownLayer } from '#query/known-layer';
import type { Engine } from '../engine.js';

/** What a commit says, and where it goes. `expect` undefined: the branch as it is when the request arrives. */
export interface BranchCommit {
  readonly repo: RepositoryName;
  readonly branch: RefName;
  readonly message: string;
  readonly author: string;
  readonly time: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly expect?: RefValue | undefined;
}

/** Where the layer comes from: bytes on their way, one that the repository has (a diffID or its first digits), or none. */
export type LayerSource =
  | { readonly type: 'bytes'; readonly bytes: AsyncIterable<Uint8Array> }
  | { readonly type: 'stored'; readonly layer: string }
  | { readonly type: 'none' };

/** The commit that is the tip now. `layer` null: it has metadata alone. */
export interface CreatedCommit {
  readonly commit: CommitId;
  readonly ref: RefName;
  readonly version: number;
  readonly layer: Pick<ReceivedLayer, 'diffId' | 'digest' | 'sizeBytes' | 'tarBytes' | 'mediaType'> | null;
  readonly position: string;
  readonly replayed: boolean;
}

/**
 * Puts a layer and a message on a branch. `withContent` makes the context that tells this request from another under
 * its key, once the digest of uploaded bytes is known.
 * @throws BLOB_UNKNOWN when a stored layer is none of the repository's, and what `commitLayer` and `receiveLayer` throw
 */
export async function commitOnBranch(
  engine: Engine,
  commit: BranchCommit,
  how: { readonly source: LayerSource; readonly withContent: (digest: string | undefined) => WriteContext },
): Promise<CreatedCommit> {
  const { source } = how;
  const layer = await layerOf(engine, commit.repo, source);
  const context = how.withContent(source.type === 'bytes' ? layer?.digest : undefined);
  const written = await commitLayer(engine, { ...commit, layer }, context);
  return {
    commit: written.commit,
    ref: commit.branch,
    version: written.outcome.moves.find(({ ref }) => ref === commit.branch)?.version ?? 0,
    layer: layer && told(layer),
    position: formatPosition(written.position),
    replayed: written.replayed,
  };
}

function told({ diffId, digest, sizeBytes, tarBytes, mediaType }: ReceivedLayer): CreatedCommit['layer'] {
  return { diffId, digest, sizeBytes, tarBytes, mediaType };
}

async function layerOf(engine: Engine, repo: RepositoryName, source: LayerSource): Promise<ReceivedLayer | null> {
  if (source.type === 'none') return null;
  return source.type === 'bytes' ? receiveLayer(engine.blobs, source.bytes) : storedLayer(engine, repo, source.layer);
}

/** A layer whose bytes are here: nothing is received, and nothing has to be sealed. */
async function storedLayer(
  { graph, layers, blobs }: Engine,
  repo: RepositoryName,
  text: string,
): Promise<ReceivedLayer> {
  const { diffId, tarBytes, encodings } = await knownLayer(graph, repo, text);
  const digest = encodings[0]?.digest;
  const blob = digest && (await graph.blob(repo, digest));
  if (!blob) throw gone(repo, diffId);
  return {
    diffId,
    tarBytes,
    digest: blob.digest,
    sizeBytes: blob.size,
    mediaType: blob.mediaType,
    readIndex: () => layers.index(repo, diffId),
    // Asked for only when no live copy is left: what is retired is stored as long as a commit names it.
    seal: () => copyBlob(blobs, { ...blob, layer: { diffId, tarBytes } }),
    discard: () => Promise.resolve(),
  };
}

function gone(repo: RepositoryName, diffId: string): VarveError {
  return new VarveError('BLOB_GONE', `the bytes of layer ${diffId} of ${repo} were removed: send them again`, {
    repository: repo,
    diffId,
  });
}
