import { isAncestor, walkLater } from '#core/ancestry';
import type { CommitId } from '#core/commit';
import { VarveError } from '#core/error';
import type { RefOperation } from '#core/event';
import type { CommitRow } from '#core/graph-row';
import type { RefName, RepositoryName } from '#core/name';
import { type MoveMode, type RefValue, sameRefValue } from '#core/ref';
import type { GraphReader } from '#ports/graph-store';
import { readRef } from './read-ref.js';
import { staleRef } from './refusal.js';
import type { Submitter } from './submitter.js';
import type { WriteContext, Written } from './write.js';

/**
 * One move of one ref. `to: null` deletes it. `expect` absent means: what the ref is when the call is made; to create
 * one and never move it, expect `{ commit: null, version }` as read, version 0 when it never was.
 */
export interface RefMove {
  readonly repo: RepositoryName;
  readonly ref: RefName;
  readonly to: CommitId | null;
  readonly mode: MoveMode;
  readonly operation: RefOperation;
  readonly expect?: RefValue | undefined;
}

/**
 * Creates, moves or deletes a ref. When it is where it shall be already, nothing is written: `outcome.moves` is empty
 * and the position is the graph's.
 * @throws REPOSITORY_UNKNOWN, COMMIT_UNKNOWN, REF_UNKNOWN (deleting what is not there), REF_STALE, NOT_FAST_FORWARD,
 * TAG_IMMUTABLE, and what `Submitter.submit` throws
 */
export async function updateRef(
  { graph, submitter }: { readonly graph: GraphReader; readonly submitter: Submitter },
  { repo, ref, to, mode, operation, expect }: RefMove,
  context: WriteContext,
): Promise<Written> {
  const actual = await readRef(graph, repo, ref);
  const seen = await submitter.seenOutcome(repo, context);
  if (seen) return seen;
  if (expect && !sameRefValue(expect, actual) && actual.version >= expect.version) {
    throw staleRef(repo, { ref, expect }, actual);
  }
  if (to !== null && to === actual.commit) return submitter.nothingWritten(repo);

  if (to !== null) await checkTarget(graph, { repo, ref, to, mode }, actual);
  const update = { ref, expect: expect ?? actual, to, mode };
  return submitter.submit(
    { type: 'ref.update.v1', repo, operation, commits: [], blobs: [], updates: [update] },
    context,
  );
}

/** What the fold would refuse too, without a record in the log. Only what can never become true again is asked. */
async function checkTarget(
  graph: GraphReader,
  { repo, ref, to, mode }: Pick<RefMove, 'repo' | 'ref' | 'mode'> & { readonly to: CommitId },
  actual: RefValue,
): Promise<void> {
  const target = await graph.commit(repo, to);
  if (!target) {
    throw new VarveError('COMMIT_UNKNOWN', `${ref} cannot be set to ${to}: ${repo} has no such commit`, {
      commit: to,
      ref,
    });
  }
  if (mode === 'force' || actual.commit === null || ref.startsWith('refs/tags/')) return;
  const tip = (await graph.commit(repo, actual.commit)) as CommitRow;
  const commitAt = async (seq: number) => (await graph.commitAt(repo, seq)) as CommitRow;
  if ((await walkLater(isAncestor(tip, target), commitAt)) !== 'no') return;
  const message = `${ref} cannot move forward to ${to}: it does not descend from ${actual.commit}`;
  throw new VarveError('NOT_FAST_FORWARD', message, { repository: repo, ref, from: actual.commit, to, tooFar: false });
}
