import { isDeepStrictEqual } from 'node:util';
import { chainIdOn, type Commit, commitIdOf, decodeCommit } from '#core/commit';
import { emptyChainId } from '#core/digest';
import { isVarveError } from '#core/error';
import type { CommitRow, RepositoryRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import type { GraphReader } from '#ports/graph-store';
import { checked, found, type FsckStep } from './fsck-finding.js';
import type { ContentCheck } from './fsck-layers.js';

const pageCommits = 256;
const shortIdDigits = 12;
/** More commits than this do not share so many digits. */
const sameShortIdMax = 8;

/**
 * Everything a repository holds, as it was when `repository` was read: its refs and their newest moves, its commits
 * by number, and what they name. What is written while it runs is not looked at, so it cannot be found half there.
 */
export async function* checkRepository(
  graph: GraphReader,
  repository: RepositoryRow,
  content: ContentCheck,
): AsyncGenerator<FsckStep> {
  yield* checkRefs(graph, repository.repo);
  let before = repository.commits;
  while (before > 0) {
    const page = await graph.commits(repository.repo, { before, limit: pageCommits });
    for (const row of page) {
      yield* missingBetween(repository.repo, row.seq + 1, before);
      yield* checkCommit(graph, row, content);
      yield* checkShortId(graph, row);
      before = row.seq;
    }
    if (page.length > 0) continue;
    yield* missingBetween(repository.repo, 0, before);
    return;
  }
}

async function* checkRefs(graph: GraphReader, repo: RepositoryName): AsyncGenerator<FsckStep> {
  for (const { ref, value } of await graph.refs(repo)) {
    const told = { what: ref, where: repo };
    if (!(await graph.commit(repo, value.commit))) {
      const message = `it points at commit ${value.commit}, which the graph does not hold. Run varve rebuild`;
      yield found('ref-target-missing', { ...told, message });
    }
    // A move that came since has a higher version, and says nothing of this value.
    const moved = await graph.reflogAt(repo, ref, 0);
    if (moved && (moved.version > value.version || (moved.version === value.version && moved.to === value.commit)))
      continue;
    const last = moved ? `its last move is version ${moved.version}, to ${moved.to ?? 'nothing'}` : 'it never moved';
    const message = `it says version ${value.version}, at ${value.commit}; in the reflog ${last}. Run varve rebuild`;
    yield found('ref-row', { ...told, message });
  }
}

function* missingBetween(repo: RepositoryName, from: number, to: number): Generator<FsckStep> {
  if (from >= to) return;
  const what = to - from === 1 ? `commit number ${from}` : `commits number ${from} to ${to - 1}`;
  const message = `the graph of ${repo} has lost ${to - from} of its commits. Run varve rebuild: the event log has them`;
  yield found('commit-missing', { what, where: repo, message });
}

async function* checkCommit(graph: GraphReader, row: CommitRow, content: ContentCheck): AsyncGenerator<FsckStep> {
  const { repo, id } = row;
  const namedBy = `commit ${id} of ${repo}`;
  yield checked('commits', 1);
  const bytes = await graph.commitBytes(repo, id);
  const read = bytes ? commitIn(bytes) : 'the graph has lost its bytes';
  const actual = bytes && commitIdOf(bytes);
  if (typeof read === 'string' || actual !== id) {
    const why = typeof read === 'string' ? read : `its bytes hash to ${actual}`;
    yield found('commit-bytes', { what: id, where: repo, message: `${why}. Run varve rebuild` });
    return;
  }
  yield* checkPlace(graph, row, read);
  for (const diffId of read.layers) yield* content.layer(repo, diffId, namedBy);
  if (read.config) yield* content.document(repo, read.config, namedBy);
  if (read.manifest) yield* content.document(repo, read.manifest.digest, namedBy);
  for (const { commit } of read.index ?? []) {
    if (!(await graph.commit(repo, commit))) yield missingParent(row, 'image', commit);
  }
}

function commitIn(bytes: Uint8Array): Commit | string {
  try {
    return decodeCommit(bytes).commit;
  } catch (error) {
    if (!isVarveError(error)) throw error;
    return error.message;
  }
}

/** The first twelve digits find it, as those of `varve log` do. */
async function* checkShortId(graph: GraphReader, { repo, id }: CommitRow): AsyncGenerator<FsckStep> {
  const same = await graph.commitsByPrefix(repo, id.slice(0, shortIdDigits), sameShortIdMax);
  if (same.some((row) => row.id === id)) return;
  const message = `its first ${shortIdDigits} digits do not find it: the index of the graph has lost it. Run varve rebuild`;
  yield found('commit-index', { what: id, where: repo, message });
}

/** The row says what follows from the commit's bytes, the rows of its parents and those of its layers. */
async function* checkPlace(graph: GraphReader, row: CommitRow, commit: Commit): AsyncGenerator<FsckStep> {
  const { repo } = row;
  const parents: CommitRow[] = [];
  for (const id of commit.parents) {
    const parent = await graph.commit(repo, id);
    if (parent) parents.push(parent);
    else yield missingParent(row, 'parent', id);
  }
  if (parents.length < commit.parents.length) return;
  const below = commit.base === 'parent' ? parents[0] : undefined;
  let ownBytes = 0;
  for (const diffId of commit.layers) ownBytes += (await graph.layer(repo, diffId))?.tarBytes ?? Number.NaN;
  // A layer without a row is told of where layers are checked.
  if (Number.isNaN(ownBytes)) return;
  const expected = {
    parents: parents.map(({ seq }) => seq),
    depth: parents[0] ? parents[0].depth + 1 : 0,
    stackLayers: (below?.stackLayers ?? 0) + commit.layers.length,
    chainId: chainIdOn(below?.chainId ?? emptyChainId, commit),
    ownBytes,
    virtualBytes: (below?.virtualBytes ?? 0) + ownBytes,
  };
  for (const [field, value] of Object.entries(expected)) {
    const actual = row[field as keyof typeof expected];
    if (isDeepStrictEqual(actual, value)) continue;
    const message = `its ${field} in the graph is ${JSON.stringify(actual)}; its bytes and parents give ${JSON.stringify(value)}. Run varve rebuild`;
    yield found('commit-row', { what: row.id, where: repo, message });
  }
}

function missingParent(row: CommitRow, role: string, id: string): FsckStep {
  return found('parent-missing', {
    what: row.id,
    where: row.repo,
    message: `it names ${role} ${id}, which the graph does not hold. Run varve rebuild: the event log has it`,
  });
}
