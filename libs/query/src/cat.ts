import { type Digest, digestOf, hexOf } from '#core/digest';
import { VarveError } from '#core/error';
import type { CommitRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import { rowOf } from '#tar/layer-entries';
import { type RootfsTree, sizeOf, sparseBit } from '#union/rootfs-tree';
import { commitTree, type FileSources } from './commit-tree.js';
import { ContentDigests } from './content-digests.js';
import { findNode } from './find-node.js';
import { shownPath } from './path-argument.js';
import { type StoredContent, streamContent } from './stored-content.js';
import { entryOf, type TreeEntry } from './tree-entry.js';

/** The content of one path of a commit, nothing of it read yet. Equal `tag`s are equal bytes. */
export interface FileContent {
  readonly commit: CommitRow;
  readonly warning: string | null;
  readonly entry: TreeEntry;
  readonly sizeBytes: number;
  readonly tag: string;
  readonly read: (from: number, to: number) => AsyncGenerator<Uint8Array>;
}

const blockBytes = 512;

/**
 * The bytes of a file, or the target of a symlink, which is not followed (as `git show REV:PATH`). The one layer that
 * holds the file is opened when the first byte is read, and no other.
 * @throws what `resolve` throws, PATH_UNKNOWN, REQUEST_INVALID for a directory or device; reading: CORRUPT, UNAVAILABLE
 */
export async function readFile(
  sources: FileSources,
  repo: RepositoryName,
  { revision, path }: { readonly revision: string; readonly path: Buffer },
): Promise<FileContent> {
  const { commit, tree, warning } = await commitTree(sources, repo, revision);
  const node = findNode(tree, path);
  const digests = new ContentDigests(sources.layers, repo);
  await digests.load(tree, node);
  const sha256 = digests.digest(tree, node);
  const entry = entryOf(tree, node, path, sha256);
  if (entry.link !== null) return { commit, warning, entry, ...ofBytes(entry.link) };
  if (entry.type !== 'file') throw notContent(entry);
  const content = contentOf(tree, node, sha256);
  return {
    commit,
    warning,
    entry,
    sizeBytes: content.sizeBytes,
    tag: sha256 ?? `entry-${hexOf(content.diffId)}-${tree.entry[node]!}`,
    read: (from, to) => streamContent(content, (diffId) => sources.layers.open(repo, diffId), { from, to }),
  };
}

/** Content that is in the index. */
export function ofBytes(bytes: Buffer): Pick<FileContent, 'sizeBytes' | 'tag' | 'read'> {
  return {
    sizeBytes: bytes.length,
    tag: digestOf(bytes),
    read: async function* (from, to) {
      if (from < to) yield Uint8Array.from(bytes.subarray(from, to));
    },
  };
}

/** The error for a path that has no bytes of its own. */
export function notContent({ path, type }: Pick<TreeEntry, 'path' | 'type'>): VarveError {
  const shown = shownPath(path);
  const detail = { path: shown, type };
  return new VarveError('REQUEST_INVALID', `"${shown}" is a ${type} and has no content`, detail);
}

function contentOf(tree: RootfsTree, node: number, sha256: Digest | null): StoredContent {
  const { sparseNode, sparseEnd, segmentOffset, segmentLength } = tree;
  const isSparse = (tree.kind[node]! & sparseBit) !== 0;
  const row = isSparse ? rowOf(sparseNode, node) : -1;
  return {
    diffId: tree.layers[tree.layer[node]!]!,
    sizeBytes: sizeOf(tree, node),
    position: tree.dataBlock[node]! * blockBytes,
    segments: isSparse ? segmentsOf({ sparseEnd, segmentOffset, segmentLength }, row) : null,
    sha256,
  };
}

/** The stretches of a row of a table of sparse files. */
export function segmentsOf(
  {
    sparseEnd,
    segmentOffset,
    segmentLength,
  }: { readonly sparseEnd: Uint32Array; readonly segmentOffset: Float64Array; readonly segmentLength: Float64Array },
  row: number,
): { readonly offset: number; readonly length: number }[] {
  const from = row === 0 ? 0 : sparseEnd[row - 1]!;
  const rows = Array.from({ length: sparseEnd[row]! - from }, (_, at) => from + at);
  return rows.map((at) => ({ offset: segmentOffset[at]!, length: segmentLength[at]! }));
}
