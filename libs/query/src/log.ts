import { VarveError } from '#core/error';
import { limit } from '#core/limit';
import type { RepositoryName } from '#core/name';
import type { GraphReader } from '#ports/graph-store';
import { commitAt, type PlacedCommit, readCommit } from './read-commit.js';
import { refsByCommit } from './refs.js';
import { resolve } from './resolve.js';
import { knownRepository } from './known-repository.js';

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
 * that come next, so a page costs what it shows, at any depth, and pages stay one answer while branches move.
 * @throws what `resolve` throws, REQUEST_INVALID for a cursor that is none of ours, LIMIT_EXCEEDED
 */
export async function log(graph: GraphReader, repo: RepositoryName, question: LogQuestion): Promise<LogPage> {
  if (question.limit > limit.pageMax) {
    throw new VarveError('LIMIT_EXCEEDED', `a page of ${question.limit} commits is over the limit of ${limit.pageMax}`);
  }
  const start =
    question.cursor === undefined
      ? [(await resolve(graph, repo, question.revision)).commit.seq]
      : await readCursor(graph, repo, question.cursor);
  const refs = await refsByCommit(graph, repo);
  const frontier = new Frontier(start);
  const commits: PlacedCommit[] = [];
  while (commits.length < question.limit) {
    const seq = frontier.takeNewest();
    if (seq === undefined) break;
    const row = await commitAt(graph, repo, seq);
    frontier.add(question.firstParent ? row.parents.slice(0, 1) : row.parents);
    commits.push({ row, commit: await readCommit(graph, row), refs: refs.get(row.id) ?? [] });
  }
  return { commits, cursor: frontier.isEmpty ? null : writeCursor(frontier.seqs) };
}

/** Commits yet to show. Parents have smaller numbers, so the largest number has no child that is still to come. */
class Frontier {
  /** Ascending, each once. */
  readonly #seqs: number[];

  constructor(seqs: readonly number[]) {
    this.#seqs = [...new Set(seqs)].toSorted((a, b) => a - b);
  }

  get isEmpty(): boolean {
    return this.#seqs.length === 0;
  }

  get seqs(): readonly number[] {
    return this.#seqs;
  }

  takeNewest(): number | undefined {
    return this.#seqs.pop();
  }

  add(seqs: readonly number[]): void {
    for (const seq of seqs) {
      const at = this.#seqs.findLastIndex((known) => known <= seq);
      if (this.#seqs[at] !== seq) this.#seqs.splice(at + 1, 0, seq);
    }
  }
}

/** The numbers, each as its distance from the one before, base 36. */
function writeCursor(seqs: readonly number[]): string {
  return seqs.map((seq, i) => (seq - (i === 0 ? 0 : (seqs[i - 1] as number))).toString(36)).join('.');
}

async function readCursor(graph: GraphReader, repo: RepositoryName, cursor: string): Promise<number[]> {
  await knownRepository(graph, repo);
  let seq = 0;
  const seqs = cursor
    .split('.')
    .map((step) => (seq += /^[0-9a-z]{1,10}$/.test(step) ? parseInt(step, 36) : Number.NaN));
  if (
    Number.isSafeInteger(seq) &&
    (await graph.commitAt(repo, seqs[0] as number)) &&
    (await graph.commitAt(repo, seq))
  ) {
    return seqs;
  }
  throw new VarveError('REQUEST_INVALID', `"${cursor}" is not a cursor that a page of this log gave`, { cursor });
}
