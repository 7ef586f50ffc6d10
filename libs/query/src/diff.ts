import { isVarveError, VarveError } from '#core/error';
import type { Commit } from '#core/commit';
import type { DiffId } from '#core/digest';
import type { CommitRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import { stacksApart } from '#ports/read-stack';
import { emptyTree, type RootfsTree } from '#union/rootfs-tree';
import { type Change, changesOf } from './changes.js';
import { type FileSources, treeOf } from './commit-tree.js';
import { type ConfigDifference, differencesOf } from './config-differences.js';
import { ContentDigests } from './content-digests.js';
import { findNodeIfAny, unknownPath } from './find-node.js';
import { mergeBase } from './merge-base.js';
import { commitAt, readCommit } from './read-commit.js';
import { commitForTree } from './platform-commit.js';
import { resolve } from './resolve.js';
import { type BlobOpener, readConfig } from './show.js';

/** What is compared. */
export interface DiffQuestion {
  /** A revision; null: the first parent of `to`, the empty tree if it has none. */
  readonly from: string | null;
  readonly to: string;
  /** Compare with the merge base of both instead of with `from`, as `A...B` does. */
  readonly fromMergeBase: boolean;
  /** Only what is at or below these; none is everything. */
  readonly paths: readonly Buffer[];
  /** Tell also what `to`'s upper layers have and what is the same below (S). */
  readonly shadows: boolean;
  /** Count another time of modification as a change of metadata. */
  readonly times: boolean;
}

/** Which commits are compared, and how they differ beside their files. `from` null is the empty tree. */
export interface Diff {
  readonly from: CommitRow | null;
  readonly to: CommitRow;
  readonly warnings: readonly string[];
  /** How many lowest layers both stacks share; the rest of each is removed or added. */
  readonly layersShared: number;
  readonly layersRemoved: readonly DiffId[];
  readonly layersAdded: readonly DiffId[];
  readonly config: readonly ConfigDifference[];
  /** In the order of the canonical tar. */
  changes(): AsyncGenerator<Change>;
}

/**
 * How two commits differ, from indexes and configurations alone: no layer is read.
 * @throws what `resolve` throws, COMMIT_UNKNOWN without a merge base, PATH_UNKNOWN for a path that neither has, CORRUPT
 */
export async function diff(
  sources: FileSources & { readonly layers: BlobOpener },
  repo: RepositoryName,
  question: DiffQuestion,
): Promise<Diff> {
  const { graph } = sources;
  const named = await resolve(sources, repo, question.to);
  // A commit that groups platforms has no files of its own: compared with another one, its only image is meant.
  const to = question.from === null ? named : { ...named, commit: await commitForTree(graph, named.commit, null) };
  const from = await fromOf(sources, repo, question, to.commit);
  const before = from.commit === null ? emptyTree : await treeOf(sources, from.commit);
  const after = await treeOf(sources, to.commit);
  const apart = await stacksApart(graph, from.commit, to.commit);
  const starts = startsOf(before, after, question.paths);
  const digests = new ContentDigests(sources.layers, repo);
  const isAbove = question.shadows && apart.before.length === 0;
  return {
    from: from.commit,
    to: to.commit,
    warnings: [from.warning, to.warning].filter((warning) => warning !== null),
    layersShared: apart.shared,
    layersRemoved: apart.before,
    layersAdded: apart.after,
    config: differencesOf(await configOf(sources, from.commit), await configOf(sources, to.commit)),
    changes: () =>
      changesOf({ before, after, digests, times: question.times, shadowsFrom: isAbove ? apart.shared : null }, starts),
  };
}

interface From {
  readonly commit: CommitRow | null;
  readonly warning: string | null;
}

async function fromOf(
  sources: FileSources,
  repo: RepositoryName,
  question: DiffQuestion,
  to: CommitRow,
): Promise<From> {
  const { graph } = sources;
  if (question.from === null) {
    const [parent] = to.parents;
    return { commit: parent === undefined ? null : await commitAt(graph, repo, parent), warning: null };
  }
  const named = await resolve(sources, repo, question.from);
  const from = { ...named, commit: await commitForTree(graph, named.commit, null) };
  if (!question.fromMergeBase) return from;
  const [base, ...others] = await mergeBase(graph, from.commit, to);
  if (base === undefined) {
    const message = `${from.commit.id.slice(0, 12)} and ${to.id.slice(0, 12)} have no common ancestor: compare them with "A..B"`;
    throw new VarveError('COMMIT_UNKNOWN', message, { from: from.commit.id, to: to.id });
  }
  const several = `there are ${others.length + 1} merge bases; ${base.id.slice(0, 12)} is compared`;
  return { commit: base, warning: others.length > 0 ? several : from.warning };
}

/** Where the comparison begins; a path inside another one is not told twice. */
function startsOf(before: RootfsTree, after: RootfsTree, paths: readonly Buffer[]) {
  const asked = paths.length === 0 ? [Buffer.alloc(0)] : paths.toSorted((a, b) => a.compare(b));
  const apart = asked.filter((path, at) => !asked.some((other, i) => i !== at && covers(other, path, i < at)));
  return apart.map((path) => {
    const start = { path, before: findNodeIfAny(before, path), after: findNodeIfAny(after, path) };
    if (start.before < 0 && start.after < 0) throw unknownPath(after, path);
    return start;
  });
}

/** Whether `path` is below `other`, or the same and asked for before. */
function covers(other: Buffer, path: Buffer, isEarlier: boolean): boolean {
  if (other.equals(path)) return isEarlier;
  return other.length === 0 || (path.subarray(0, other.length).equals(other) && path[other.length] === 0x2f);
}

/** The configuration as JSON; null without one, and where it is lost: the files can still be compared. */
async function configOf(
  { graph, layers }: FileSources & { readonly layers: BlobOpener },
  row: CommitRow | null,
): Promise<unknown> {
  if (row === null) return null;
  const { config }: Commit = await readCommit(graph, row);
  try {
    return config && (await readConfig(layers, row.repo, config));
  } catch (error) {
    if (isVarveError(error, 'BLOB_UNKNOWN')) return null;
    throw error;
  }
}
