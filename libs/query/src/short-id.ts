import type { CommitId } from '#core/commit';
import { VarveError } from '#core/error';
import type { AliasKind, AliasRow, CommitRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import type { GraphReader } from '#ports/graph-store';
import { knownCommit, readCommit } from './read-commit.js';

/** So many candidates are told; more help nobody. */
const candidatesMax = 10;
const subjectCharactersMax = 100;
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
    const same = rows.map((row) => ({ kind: 'commit' as const, hex: row.id, commit: row.id }));
    throw await ambiguous(graph, repo, { text: hex, all: same });
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
  if (firstOfEach.length > 1) throw await ambiguous(graph, repo, { text, all: firstOfEach });
  return knownCommit(graph, repo, first.commit);
}

function older(a: AliasRow, b: AliasRow): AliasRow {
  return b.seq < a.seq ? b : a;
}

interface Candidate {
  readonly kind: AliasKind | 'commit';
  readonly hex: string;
  readonly commit: CommitId;
}

/** Each candidate with the first line of its commit's message, by which people tell them apart. */
async function ambiguous(
  graph: GraphReader,
  repo: RepositoryName,
  { text, all }: { readonly text: string; readonly all: readonly Candidate[] },
): Promise<VarveError> {
  const candidates = await Promise.all(
    all.slice(0, candidatesMax).map(async ({ kind, hex, commit }) => {
      const { message } = await readCommit(graph, await knownCommit(graph, repo, commit));
      const subject = (message.split('\n', 1)[0] as string).slice(0, subjectCharactersMax).toWellFormed();
      return { kind, hex, commit, subject };
    }),
  );
  const more = all.length > candidates.length ? `, of which ${candidates.length} are told` : '';
  const message = `"${text}" is short for more than one id${more}`;
  return new VarveError('REVISION_AMBIGUOUS', message, { text, candidates });
}
