import type { CommitId } from '#core/commit';
import { VarveError } from '#core/error';
import type { RefOperation } from '#core/event';
import { limit } from '#core/limit';
import type { RefName, RepositoryName } from '#core/name';
import { type MoveMode, type RefUpdate, type RefValue, sameRefValue } from '#core/ref';
import type { GraphReader } from '#ports/graph-store';
import { checkMove } from './check-move.js';
import { readRef } from './read-ref.js';
import { staleRef } from './refusal.js';
import type { Submitter } from './submitter.js';
import type { WriteContext, Written } from './write.js';

/**
 * Where a ref shall be. `to: null` deletes it. `expect` absent means: what the ref is when the call is made; to create
 * one and never move it, expect `{ commit: null, version }` as read, version 0 when it never was.
 */
export interface RefTarget {
  readonly ref: RefName;
  readonly to: CommitId | null;
  readonly mode: MoveMode;
  readonly expect?: RefValue | undefined;
}

/** One move of one ref. */
export interface RefMove extends RefTarget {
  readonly repo: RepositoryName;
  readonly operation: RefOperation;
}

/** Moves of several refs that take effect together or not at all. */
export interface RefMoves {
  readonly repo: RepositoryName;
  readonly operation: RefOperation;
  readonly targets: readonly RefTarget[];
}

interface Writing {
  readonly graph: GraphReader;
  readonly submitter: Submitter;
}

/** One move alone. @throws as `updateRefs` */
export function updateRef(
  writing: Writing,
  { repo, operation, ...target }: RefMove,
  context: WriteContext,
): Promise<Written> {
  return updateRefs(writing, { repo, operation, targets: [target] }, context);
}

/**
 * Creates, moves and deletes refs in one record. A ref that is where it shall be already is left alone; when all are,
 * nothing is written: `outcome.moves` is empty and the position is the graph's.
 * @throws REPOSITORY_UNKNOWN, COMMIT_UNKNOWN, REF_UNKNOWN (deleting what is not there), REF_STALE, NOT_FAST_FORWARD,
 * TAG_IMMUTABLE, TAG_TOMBSTONED, REQUEST_INVALID (a ref named twice), LIMIT_EXCEEDED, and what `Submitter.submit` throws
 */
export async function updateRefs(
  { graph, submitter }: Writing,
  { repo, operation, targets }: RefMoves,
  context: WriteContext,
): Promise<Written> {
  checkTargets(targets);
  const read = await Promise.all(
    targets.map(async (target) => ({ target, actual: await readRef(graph, repo, target.ref) })),
  );
  const seen = await submitter.seenOutcome(repo, context);
  if (seen) return seen;
  const updates: RefUpdate[] = [];
  for (const { target, actual } of read) {
    const { ref, to, mode, expect } = target;
    if (expect && !sameRefValue(expect, actual) && actual.version >= expect.version) {
      throw staleRef(repo, { ref, expect }, actual);
    }
    // A graph that went back, and is behind what the caller has seen, cannot tell what the move would do.
    const isBehind = expect !== undefined && actual.version < expect.version;
    if (!isBehind && to !== null) {
      if (to === actual.commit) continue;
      await checkMove(graph, { repo, ref, to, mode, actual });
    }
    updates.push({ ref, expect: expect ?? actual, to, mode });
  }
  if (updates.length === 0) return submitter.nothingWritten(repo);
  return submitter.submit({ type: 'ref.update.v1', repo, operation, commits: [], blobs: [], updates }, context);
}

function checkTargets(targets: readonly RefTarget[]): void {
  if (targets.length > limit.refUpdatesPerRecordMax) {
    const message = `${targets.length} moves at once are over the limit of ${limit.refUpdatesPerRecordMax}`;
    throw new VarveError('LIMIT_EXCEEDED', message, { moves: targets.length, limit: limit.refUpdatesPerRecordMax });
  }
  const names = new Set<RefName>();
  for (const { ref } of targets) {
    if (names.has(ref)) throw new VarveError('REQUEST_INVALID', `${ref} is named twice in one write`, { ref });
    names.add(ref);
  }
}
