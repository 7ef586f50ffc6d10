import type { CommitId } from '#core/commit';
import { VarveError } from '#core/error';
import type { RefOperation } from '#core/event';
import { isTag, type RefName, type RepositoryName } from '#core/name';
import { formatPosition } from '#core/position';
import type { MoveMode } from '#core/ref';
import { readRef } from '#history/read-ref';
import { updateRef } from '#history/update-ref';
import type { WriteContext } from '#history/write';
import { knownRepository } from '#query/known-repository';
import { getRef, unknownRef } from '#query/refs';
import { resolve, resolveDeletedRef, resolveRefName } from '#query/resolve';
import type { Engine } from '../engine.js';
import { type MovedRef, movedRef } from './moved-ref.js';
import { checkLease, expectedValue, notThere, type RefExpectation } from './ref-expectation.js';

/** What became of a ref, and where the write stands. */
export interface WrittenRef extends MovedRef {
  readonly position: string;
  readonly replayed: boolean;
}

interface Asked {
  readonly repo: RepositoryName;
  /** Undefined: what it is when the request arrives. */
  readonly expect: RefExpectation | undefined;
}

/**
 * Points a ref at what a revision means, and makes it if need be. Force says what it overwrites: nobody loses commits
 * that nobody has seen. @throws REF_STALE, EXPECTATION_REQUIRED, NOT_FAST_FORWARD, TAG_IMMUTABLE, TAG_TOMBSTONED, and what
 * resolving throws
 */
export async function putRef(
  engine: Engine,
  asked: Asked & {
    readonly ref: RefName;
    readonly to: string;
    readonly mode: MoveMode;
    readonly operation: RefOperation;
  },
  context: WriteContext,
): Promise<WrittenRef> {
  const { commit } = await resolve(engine, asked.repo, asked.to);
  if (asked.mode !== 'force') return move(engine, { ...asked, to: commit.id }, context);
  const before = await readRef(engine.graph, asked.repo, asked.ref);
  checkLease(asked, before);
  // Force without an expectation is for what is not there, and stays so until the fold.
  return move(engine, { ...asked, to: commit.id, expect: asked.expect ?? before }, context);
}

/** Makes a ref again where it was deleted; a bare name is a tag first. @throws REF_UNKNOWN when it never was, REF_STALE when it exists */
export async function restoreRef(
  engine: Engine,
  { repo, expect, ...asked }: Asked & { readonly ref: string },
  context: WriteContext,
): Promise<WrittenRef> {
  const { graph, submitter } = engine;
  const seen = await submitter.seenOutcome(repo, context);
  const ref = seen?.outcome.moves[0]?.ref ?? (await resolveDeletedRef(graph, repo, asked.ref));
  const to = seen ? (seen.outcome.moves[0]?.commit ?? null) : await lastCommit(engine, repo, ref);
  const actual = await readRef(graph, repo, ref);
  return move(engine, { repo, ref, expect: expect ?? actual, to, mode: 'ff', operation: 'restore' }, context);
}

async function lastCommit({ graph }: Engine, repo: RepositoryName, ref: RefName): Promise<CommitId> {
  await knownRepository(graph, repo);
  const last = await graph.reflogAt(repo, ref, 0);
  if (!last) throw await unknownRef(graph, repo, ref);
  if (last.to === null && last.from !== null) return last.from;
  const actual = { commit: last.to, version: last.version };
  const message = `${ref} of ${repo} is at ${last.to}: only a deleted ref is restored`;
  throw new VarveError('REF_STALE', message, { repository: repo, ref, expected: 'absent', actual });
}

/** Deletes a ref. @throws REF_UNKNOWN, REF_STALE */
export function deleteRef(
  engine: Engine,
  asked: Asked & { readonly ref: RefName },
  context: WriteContext,
): Promise<WrittenRef> {
  return move(engine, { ...asked, to: null, mode: 'force', operation: 'delete' }, context);
}

/** Points a ref back at what a revision means; `@{n}` counts in its own reflog. @throws TAG_IMMUTABLE unless `moveTag`, REF_STALE */
export async function rollbackRef(
  engine: Engine,
  asked: Asked & { readonly ref: string; readonly to: string; readonly moveTag: boolean },
  context: WriteContext,
): Promise<WrittenRef> {
  const { graph } = engine;
  const { repo, expect, to, moveTag } = asked;
  const { ref } = await getRef(graph, repo, await resolveRefName(graph, repo, asked.ref));
  if (isTag(ref) && !moveTag) throw tagStays(ref);
  const { commit } = await resolve(engine, repo, to.startsWith('@{') ? `${ref}${to}` : to);
  return move(engine, { repo, ref, expect, to: commit.id, mode: 'force', operation: 'rollback' }, context);
}

interface Move extends Asked {
  readonly ref: RefName;
  readonly to: CommitId | null;
  readonly mode: MoveMode;
  readonly operation: RefOperation;
}

async function move(
  engine: Engine,
  { repo, ref, to, expect, ...how }: Move,
  context: WriteContext,
): Promise<WrittenRef> {
  const { graph, submitter } = engine;
  const before = await readRef(graph, repo, ref);
  const expected = expectedValue(expect, before);
  if (expected === 'present' && !(await submitter.seenOutcome(repo, context))) throw notThere(ref, before);
  const compared = expected === undefined || expected === 'present' ? {} : { expect: expected };
  const written = await updateRef(engine, { repo, ref, to, ...how, ...compared }, context);
  const { position, replayed } = written;
  const moved = await movedRef(graph, { repo, ref, to, before }, written);
  return { ...moved, position: formatPosition(position), replayed };
}

function tagStays(ref: RefName): VarveError {
  return new VarveError('TAG_IMMUTABLE', `${ref} is a tag and stays where it is unless the request says moveTag`, {
    ref,
  });
}
