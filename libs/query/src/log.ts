import { Frontier, logWalk } from '#core/ancestry';
import { VarveError } from '#core/error';
import { limit } from '#core/limit';
import type { RepositoryName } from '#core/name';
import type { GraphReader } from '#ports/graph-store';
import { knownRepository } from './known-repository.js';
import { commitAt, type PlacedCommit, readCommit } from './read-commit.js';
import { refsByCommit } from './refs.js';
import { resolve } from './resolve.js';

/** Which commits: reachable from `revision`, on first parents alone if asked, from `cursor` on if there is one. */
export interface LogQuestion {
  readonly revision: string;
  readonly firstParent: boolean;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** One page, and where the next one starts; null when this was the last. */
export interface LogPage {
  readonly commits: readonly PlacedCommit[];
  readonly cursor: string | null;
}

/**
 * The commits that a revision reaches, newest first, a child always before its parents. A cursor is the set of commits
 * that come next, so a page costs what it shows, at any depth, and the pages are one answer while branches move.
 * @throws what `resolve` throws, REQUEST_INVALID for a cursor that is none of ours, LIMIT_EXCEEDED
 */
export async function log(graph: GraphReader, repo: RepositoryName, question: LogQuestion): Promise<LogPage> {
  if (question.limit > limit.pageMax) {
    throw new VarveError('LIMIT_EXCEEDED', `a page of ${question.limit} commits is over the limit of ${limit.pageMax}`);
  }
  const frontier = new Frontier(await startOf(graph, repo, question));
  const refs = await refsByCommit(graph, repo);
  const commits: PlacedCommit[] = [];
  const walk = logWalk((seq) => commitAt(graph, repo, seq), frontier, question.firstParent ? 'first-parent' : 'all');
  for await (const row of walk) {
    commits.push({ row, commit: await readCommit(graph, row), refs: refs.get(row.id) ?? [] });
    if (commits.length >= question.limit) break;
  }
  const next = frontier.seqs();
  return { commits, cursor: next.length === 0 ? null : writeCursor(next) };
}

async function startOf(graph: GraphReader, repo: RepositoryName, question: LogQuestion): Promise<readonly number[]> {
  if (question.cursor === undefined) return [(await resolve(graph, repo, question.revision)).commit.seq];
  await knownRepository(graph, repo);
  return readCursor(graph, repo, question.cursor);
}

/** The numbers, newest first, each but the first as its distance from the one before, base 36. */
function writeCursor(seqs: readonly number[]): string {
  return seqs.map((seq, i) => (i === 0 ? seq : (seqs[i - 1] as number) - seq).toString(36)).join('.');
}

async function readCursor(graph: GraphReader, repo: RepositoryName, cursor: string): Promise<readonly number[]> {
  let seq = 0;
  const seqs = cursor.split('.').map((step, i) => {
    const number = /^[0-9a-z]{1,10}$/.test(step) ? parseInt(step, 36) : Number.NaN;
    return (seq = i === 0 ? number : seq - number);
  });
  // Numbers are given without gaps, so when the first and the last exist, every one between them does.
  const ends = Number.isSafeInteger(seq) && [
    await graph.commitAt(repo, seqs[0] as number),
    await graph.commitAt(repo, seq),
  ];
  if (ends && ends.every(Boolean)) return seqs;
  throw new VarveError('REQUEST_INVALID', `"${cursor}" is not a cursor that a page of this log gave`, { cursor });
}
