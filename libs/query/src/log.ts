import { Frontier, rangeWalk } from '#core/ancestry';
import { VarveError } from '#core/error';
import { limit } from '#core/limit';
import type { RepositoryName } from '#core/name';
import { type CommitRevision, parseRevision } from '#core/revision';
import type { GraphReader } from '#ports/graph-store';
import type { Placed } from './await-position.js';
import { knownRepository } from './known-repository.js';
import { commitAt, type PlacedCommit, readCommit } from './read-commit.js';
import { refsByCommit } from './refs.js';
import { mergeBase } from './merge-base.js';
import { resolve, resolveRevision } from './resolve.js';

/** Which commits: reachable from `revision`, which may be a range, on first parents alone if asked, from `cursor` on. */
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
export async function log(placed: Placed, repo: RepositoryName, question: LogQuestion): Promise<LogPage> {
  const { graph } = placed;
  if (question.limit > limit.pageMax) {
    throw new VarveError('LIMIT_EXCEEDED', `a page of ${question.limit} commits is over the limit of ${limit.pageMax}`);
  }
  const start = await startOf(placed, repo, question);
  const frontier = new Frontier(start.shown);
  const hidden = new Frontier(start.hidden);
  const refs = await refsByCommit(graph, repo);
  const commits: PlacedCommit[] = [];
  const follow = question.firstParent ? 'first-parent' : 'all';
  const walk = rangeWalk((seq) => commitAt(graph, repo, seq), { frontier, hidden }, follow);
  for await (const row of walk) {
    commits.push({ row, commit: await readCommit(graph, row), refs: refs.get(row.id) ?? [] });
    if (commits.length >= question.limit) break;
  }
  const next = frontier.seqs();
  if (next.length === 0) return { commits, cursor: null };
  const hiddenYet = hidden.seqs();
  return { commits, cursor: [next, ...(hiddenYet.length > 0 ? [hiddenYet] : [])].map(writeCursor).join('_') };
}

/** The numbers of commits that are shown with all they reach, and of those that hide what they reach. */
interface LogStart {
  readonly shown: readonly number[];
  readonly hidden: readonly number[];
}

async function startOf(placed: Placed, repo: RepositoryName, question: LogQuestion): Promise<LogStart> {
  const { graph } = placed;
  if (question.cursor !== undefined) {
    await knownRepository(graph, repo);
    const [shown = '', hidden, ...more] = question.cursor.split('_');
    if (more.length > 0) throw badCursor(question.cursor);
    return {
      shown: await readCursor(graph, repo, shown),
      hidden: hidden === undefined ? [] : await readCursor(graph, repo, hidden),
    };
  }
  const text = question.revision;
  const revision = parseRevision(text);
  if (revision.type !== 'range' && revision.type !== 'symmetric-range') {
    return { shown: [(await resolve(placed, repo, text)).commit.seq], hidden: [] };
  }
  const side = async (of: CommitRevision) => (await resolveRevision(placed, repo, { text, revision: of })).commit;
  const [from, to] = [await side(revision.from), await side(revision.to)];
  if (revision.type === 'range') return { shown: [to.seq], hidden: [from.seq] };
  const bases = await mergeBase(graph, from, to);
  return { shown: [from.seq, to.seq], hidden: bases.map(({ seq }) => seq) };
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
  throw badCursor(cursor);
}

function badCursor(cursor: string): VarveError {
  return new VarveError('REQUEST_INVALID', `"${cursor}" is not a cursor that a page of this log gave`, { cursor });
}
