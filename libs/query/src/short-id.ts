import { VarveError } from '#core/error';
import type { AliasKind, AliasRow, CommitRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import type { GraphReader } from '#ports/graph-store';
import { knownCommit } from './read-commit.js';

/** So many candidates are told; more help nobody. */
const candidatesMax = 10;
/** Rows of one name are as many as the commits that share it, so more are read than candidates are shown. */
const aliasRowsMax = 1_000;
const everyKind: readonly AliasKind[] = ['v1', 'manifest', 'config', 'diff', 'chain'];

/**
 * The commit whose id starts with the digits; if there is none, the first commit with a v1 id, manifest, config, diffID or
 * chainID that starts with them.
 * @throws COMMIT_UNKNOWN, REVISION_AMBIGUOUS
 */
export async function commitByShortId(graph: GraphReader, repo: RepositoryName, hex: string): Promise<CommitRow> {
  const rows = await graph.commitsByPrefix(repo, hex, candidatesMax + 1);
  if (rows.length > 1) {
    throw ambiguous(hex, rows.map((row) => ({ kind: 'commit', hex: row.id, commit: row.id }))); // prettier-ignore
  }
  return rows[0] ?? commitByHex(graph, repo, { hex, kinds: everyKind, text: hex });
}

/** The first commit with a name of these kinds that starts with the digits. @throws COMMIT_UNKNOWN, REVISION_AMBIGUOUS */
export async function commitByHex(
  graph: GraphReader,
  repo: RepositoryName,
  { hex, kinds, text }: { readonly hex: string; readonly kinds: readonly AliasKind[]; readonly text: string },
): Promise<CommitRow> {
  const rows = await graph.aliasesByPrefix(repo, hex, kinds, aliasRowsMax);
  const firstOfEach = [...Map.groupBy(rows, (row) => row.hex).values()].map((same) => same.reduce(older));
  const [first] = firstOfEach;
  if (!first) {
    const message = `nothing in ${repo} has an id that starts with "${text}"`;
    throw new VarveError('COMMIT_UNKNOWN', message, { text, repository: repo });
  }
  if (firstOfEach.length > 1) throw ambiguous(text, firstOfEach);
  return knownCommit(graph, repo, first.commit);
}

function older(a: AliasRow, b: AliasRow): AliasRow {
  return b.seq < a.seq ? b : a;
}

interface Candidate {
  readonly kind: AliasKind | 'commit';
  readonly hex: string;
  readonly commit: string;
}

function ambiguous(text: string, all: readonly Candidate[]): VarveError {
  const candidates = all.slice(0, candidatesMax).map(({ kind, hex, commit }) => ({ kind, hex, commit }));
  const told = candidates.map(({ kind, hex }) => `${kind} ${hex}`).join(', ');
  const more = all.length > candidates.length ? ' and more' : '';
  return new VarveError('REVISION_AMBIGUOUS', `"${text}" is short for more than one id: ${told}${more}`, {
    text,
    candidates,
  });
}
