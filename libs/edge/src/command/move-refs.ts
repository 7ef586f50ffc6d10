import type { RefName, RepositoryName } from '#core/name';
import { formatPosition } from '#core/position';
import type { MoveMode } from '#core/ref';
import { readRef } from '#history/read-ref';
import { updateRefs } from '#history/update-ref';
import type { WriteContext } from '#history/write';
import { resolve } from '#query/resolve';
import type { Engine } from '../engine.js';
import { type MovedRef, movedRef } from './moved-ref.js';
import { checkLease, expectedValue, notThere, type RefExpectation } from './ref-expectation.js';

/** One of several refs that move together. `to` null deletes it. */
export interface RefWish {
  readonly ref: RefName;
  readonly to: string | null;
  readonly mode: MoveMode;
  readonly expect: RefExpectation | undefined;
}

/** What became of several refs, in the order they were named. */
export interface MovedRefs {
  readonly refs: readonly MovedRef[];
  readonly position: string;
  readonly replayed: boolean;
}

/** Makes, moves and deletes refs together or not at all. @throws as `putRef` and `deleteRef`, of any of them */
export async function putRefs(
  engine: Engine,
  { repo, updates }: { readonly repo: RepositoryName; readonly updates: readonly RefWish[] },
  context: WriteContext,
): Promise<MovedRefs> {
  const { graph, submitter } = engine;
  const seen = await submitter.seenOutcome(repo, context);
  const read = await Promise.all(updates.map(async (wish) => ({ wish, before: await readRef(graph, repo, wish.ref) })));
  const targets = [];
  for (const { wish, before } of read) {
    const { ref, mode, expect } = wish;
    const to = wish.to === null ? null : (await resolve(engine, repo, wish.to)).commit.id;
    if (to !== null) checkLease({ repo, ...wish }, before);
    const expected = expectedValue(expect, before);
    if (expected === 'present' && !seen) throw notThere(ref, before);
    const compared = expected === undefined || expected === 'present' ? before : expected;
    targets.push({ ref, to, mode: to === null ? ('force' as const) : mode, expect: compared });
  }
  const written = await updateRefs(engine, { repo, operation: 'update', targets }, context);
  const refs = await Promise.all(
    targets.map(({ ref, to }, i) => movedRef(graph, { repo, ref, to, before: read[i]!.before }, written)),
  );
  return { refs, position: formatPosition(written.position), replayed: written.replayed };
}
