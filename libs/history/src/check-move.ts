import { isAncestor, walkLater } from '#core/ancestry';
import type { CommitId } from '#core/commit';
import { VarveError } from '#core/error';
import type { CommitRow } from '#core/graph-row';
import { isTag, type RefName, type RepositoryName } from '#core/name';
import type { MoveMode, RefValue } from '#core/ref';
import type { GraphReader } from '#ports/graph-store';

/** A move to a commit, and what the ref is. */
export interface AimedMove {
  readonly repo: RepositoryName;
  readonly ref: RefName;
  readonly to: CommitId;
  readonly mode: MoveMode;
  readonly actual: RefValue;
}

/**
 * What the fold would refuse too, without a record in the log, and what a deleted tag stands for. Only what can never
 * become true again is asked: the value that is read is compared again by the fold, so a check of it is exact.
 * @throws COMMIT_UNKNOWN, TAG_TOMBSTONED, NOT_FAST_FORWARD
 */
export async function checkMove(graph: GraphReader, move: AimedMove): Promise<void> {
  const { repo, ref, to, mode, actual } = move;
  const target = await graph.commit(repo, to);
  if (!target) {
    throw new VarveError('COMMIT_UNKNOWN', `${ref} cannot be set to ${to}: ${repo} has no such commit`, {
      commit: to,
      ref,
    });
  }
  if (mode === 'force') return;
  if (actual.commit === null) return checkTombstone(graph, move);
  if (isTag(ref)) return;
  const tip = (await graph.commit(repo, actual.commit)) as CommitRow;
  const commitAt = async (seq: number) => (await graph.commitAt(repo, seq)) as CommitRow;
  if ((await walkLater(isAncestor(tip, target), commitAt)) !== 'no') return;
  const message = `${ref} cannot move forward to ${to}: it does not descend from ${actual.commit}`;
  throw new VarveError('NOT_FAST_FORWARD', message, { repository: repo, ref, from: actual.commit, to, tooFar: false });
}

/**
 * A tag that was deleted comes back with the commit it had, so that nobody who knew it is given something else; with
 * another one only by force. @see surface.md 4.5 @throws TAG_TOMBSTONED
 */
export async function checkTombstone(
  graph: GraphReader,
  { repo, ref, to, actual }: Omit<AimedMove, 'mode'>,
): Promise<void> {
  if (!isTag(ref) || actual.commit !== null) return;
  const deleted = await graph.reflogAt(repo, ref, 0);
  if (deleted?.version !== actual.version || deleted.from === null || deleted.from === to) return;
  const message = `tag ${ref} of ${repo} was deleted at ${deleted.from}: it comes back only with that commit, not with ${to}, unless it is forced`;
  throw new VarveError('TAG_TOMBSTONED', message, { repository: repo, ref, was: deleted.from, to });
}
