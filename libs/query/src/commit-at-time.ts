import { VarveError } from '#core/error';
import type { CommitRow, ReflogRow } from '#core/graph-row';
import { type RefName, type RepositoryName, shortRefName } from '#core/name';
import type { RevisionTime } from '#core/revision';
import type { GraphReader } from '#ports/graph-store';
import { firstThat } from './first-that.js';
import { knownCommit } from './read-commit.js';
import { unknownRef } from './refs.js';

interface Question {
  readonly graph: GraphReader;
  readonly repo: RepositoryName;
  readonly text: string;
  readonly nowMs: number;
}

/**
 * What a ref pointed at, at a time, by the log's clock: its last move that was not later. Times of moves grow, so it
 * takes as many lookups as the number of moves since has digits, twice.
 * @throws REF_UNKNOWN; COMMIT_UNKNOWN before the first move, in the future, and while it was deleted
 */
export async function commitAtTime(
  { graph, repo, text, nowMs }: Question,
  { ref, time }: { readonly ref: RefName; readonly time: RevisionTime },
): Promise<CommitRow> {
  const atMs = time.type === 'instant' ? time.ms : nowMs - time.ms;
  const newest = await graph.reflogAt(repo, ref, 0);
  if (!newest) throw await unknownRef(graph, repo, ref);
  const name = shortRefName(ref);
  const refuse = (why: string): VarveError =>
    new VarveError('COMMIT_UNKNOWN', `"${text}": ${why}`, { text, ref, time: instant(atMs) });
  if (atMs > Math.max(nowMs, newest.time)) throw refuse(`${instant(atMs)} is in the future`);
  const move = newest.time <= atMs ? newest : await lastMoveUpTo(atMs, (n) => graph.reflogAt(repo, ref, n));
  if (move.time > atMs) throw refuse(`${name} was first set at ${instant(move.time)}, after ${instant(atMs)}`);
  if (move.to === null) throw refuse(`${name} was deleted then`);
  return knownCommit(graph, repo, move.to);
}

/** The newest move that is not later, or the oldest of all. `moveAt(0)` is later. */
async function lastMoveUpTo(atMs: number, moveAt: (n: number) => Promise<ReflogRow | undefined>): Promise<ReflogRow> {
  const first = await firstThat(async (n) => ((await moveAt(n))?.time ?? -Infinity) <= atMs);
  return ((await moveAt(first)) ?? (await moveAt(first - 1)))!;
}

function instant(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`;
}
