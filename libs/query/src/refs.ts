import type { CommitId } from '#core/commit';
import { VarveError } from '#core/error';
import { branchRef, type RefName, type RepositoryName, shortRefName, tagRef } from '#core/name';
import type { RefValue } from '#core/ref';
import type { GraphReader } from '#ports/graph-store';
import { knownRepository } from './known-repository.js';
import { similarNames } from './similar-names.js';

/** A ref that exists, and its value. */
export interface ExistingRef {
  readonly ref: RefName;
  readonly value: RefValue & { readonly commit: CommitId };
}

/** The refs of a repository, by name. @throws REPOSITORY_UNKNOWN */
export async function listRefs(graph: GraphReader, repo: RepositoryName): Promise<readonly ExistingRef[]> {
  await knownRepository(graph, repo);
  return graph.refs(repo);
}

/** @throws REPOSITORY_UNKNOWN, REF_UNKNOWN with names that are spelled alike */
export async function getRef(graph: GraphReader, repo: RepositoryName, ref: RefName): Promise<ExistingRef> {
  const value = await graph.ref(repo, ref);
  if (value?.commit) return { ref, value: { commit: value.commit, version: value.version } };
  throw await unknownRef(graph, repo, ref);
}

/**
 * What a bare name may stand for: the tag first, then the branch, as `exists` finds them.
 * @throws nothing for a name that can be no tag; it is only a branch then
 */
export function refsNamed(name: string): readonly RefName[] {
  const branch = branchRef(name);
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(name) ? [tagRef(name), branch] : [branch];
}

/**
 * The ref that HEAD reads: the default branch; where it does not exist, because images were loaded and nothing was
 * committed, the tag `latest`, as container tools read a name without a tag; else the only ref there is.
 */
export async function headOf(graph: GraphReader, repo: RepositoryName): Promise<RefName> {
  const { defaultBranch } = await knownRepository(graph, repo);
  const refs = (await graph.refs(repo)).map(({ ref }) => ref);
  const chosen = [defaultBranch, tagRef('latest')].find((ref) => refs.includes(ref));
  return chosen ?? (refs.length === 1 ? (refs[0] as RefName) : defaultBranch);
}

type RefsByCommit = ReadonlyMap<CommitId, readonly RefName[]>;

interface RefsAfter {
  readonly moves: number;
  readonly refs: RefsByCommit;
}

/** For this many repositories of a graph, the refs after so many moves: they never change, and every page shows them. */
const repositoriesKept = 64;
const kept = new WeakMap<GraphReader, Map<RepositoryName, RefsAfter>>();

/** The refs of each commit, by commit id. @throws REPOSITORY_UNKNOWN */
export async function refsByCommit(graph: GraphReader, repo: RepositoryName): Promise<RefsByCommit> {
  const { moves } = await knownRepository(graph, repo);
  const ofGraph = kept.get(graph) ?? new Map<RepositoryName, RefsAfter>();
  const before = ofGraph.get(repo);
  if (before?.moves === moves) return before.refs;

  const byCommit = Map.groupBy(await graph.refs(repo), ({ value }) => value.commit);
  const refs: RefsByCommit = new Map([...byCommit].map(([commit, rows]) => [commit, rows.map(({ ref }) => ref)]));
  // A move between the two reads makes refs that are newer than the number says.
  if ((await graph.repository(repo))?.moves !== moves) return refs;
  ofGraph.delete(repo);
  ofGraph.set(repo, { moves, refs });
  if (ofGraph.size > repositoriesKept) ofGraph.delete(ofGraph.keys().next().value as RepositoryName);
  kept.set(graph, ofGraph);
  return refs;
}

/** The error for a ref that is not there, with what was perhaps meant. */
export async function unknownRef(graph: GraphReader, repo: RepositoryName, name: string): Promise<VarveError> {
  await knownRepository(graph, repo);
  const names = (await graph.refs(repo)).map(({ ref }) => ref);
  const suggestions = [
    ...new Set([...similarNames(name, names), ...similarNames(shortRefName(name as RefName), names.map(shortRefName))]),
  ];
  return new VarveError('REF_UNKNOWN', `there is no ref "${name}" in ${repo}`, {
    ref: name,
    repository: repo,
    suggestions,
  });
}
