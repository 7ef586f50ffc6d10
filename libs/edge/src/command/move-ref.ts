import type { CommitId } from '#core/commit';
import { VarveError } from '#core/error';
import type { RefOperation } from '#core/event';
import { isTag, type RefName, type RepositoryName, shortRefName } from '#core/name';
import { formatPosition } from '#core/position';
import type { MoveMode, RefValue } from '#core/ref';
import { readRef } from '#history/read-ref';
import { updateRef } from '#history/update-ref';
import type { WriteContext } from '#history/write';
import { getRef } from '#query/refs';
import { resolve, resolveRefName } from '#query/resolve';
import type { Engine } from '../engine.js';

/** What a ref must be for a write to take effect: a value, not there, or there wherever it is. */
export type RefExpectation = RefValue | 'absent' | 'present';

/** What became of a ref. `commit` null: it is deleted; `from` null: it did not exist; `changed` false: nothing was written. */
export interface MovedRef {
  readonly ref: RefName;
  readonly name: string;
  readonly type: 'branch' | 'tag';
  readonly commit: CommitId | null;
  readonly version: number;
  readonly from: CommitId | null;
  readonly changed: boolean;
  readonly position: string;
  readonly replayed: boolean;
}

interface Asked {
  readonly repo: RepositoryName;
  /** Undefined: what it is when the request arrives. */
  readonly expect: RefExpectation | undefined;
}

/** Points a ref at what a revision means, and makes it if need be. @throws REF_STALE, NOT_FAST_FORWARD, TAG_IMMUTABLE, and what resolving throws */
export async function putRef(
  engine: Engine,
  asked: Asked & {
    readonly ref: RefName;
    readonly to: string;
    readonly mode: MoveMode;
    readonly operation: RefOperation;
  },
  context: WriteContext,
): Promise<MovedRef> {
  const { commit } = await resolve(engine.graph, asked.repo, asked.to);
  return move(engine, { ...asked, to: commit.id }, context);
}

/** Deletes a ref. @throws REF_UNKNOWN, REF_STALE */
export function deleteRef(
  engine: Engine,
  asked: Asked & { readonly ref: RefName },
  context: WriteContext,
): Promise<MovedRef> {
  return move(engine, { ...asked, to: null, mode: 'force', operation: 'delete' }, context);
}

/** Points a ref back at what a revision means; `@{n}` counts in its own reflog. @throws TAG_IMMUTABLE unless `moveTag`, REF_STALE */
export async function rollbackRef(
  engine: Engine,
  asked: Asked & { readonly ref: string; readonly to: string; readonly moveTag: boolean },
  context: WriteContext,
): Promise<MovedRef> {
  const { graph } = engine;
  const { repo, expect, to, moveTag } = asked;
  const { ref } = await getRef(graph, repo, await resolveRefName(graph, repo, asked.ref));
  if (isTag(ref) && !moveTag) throw tagStays(ref);
  const { commit } = await resolve(graph, repo, to.startsWith('@{') ? `${ref}${to}` : to);
  return move(engine, { repo, ref, expect, to: commit.id, mode: 'force', operation: 'rollback' }, context);
}

interface Move extends Asked {
  readonly ref: RefName;
  readonly to: CommitId | null;
  readonly mode: MoveMode;
  readonly operation: RefOperation;
}

async function move(engine: Engine, { repo, ref, to, expect, ...how }: Move, context: WriteContext): Promise<MovedRef> {
  const { graph, submitter } = engine;
  const before = await readRef(graph, repo, ref);
  const expected = expectedValue(expect, before);
  if (expected === 'some' && !(await submitter.seenOutcome(repo, context))) throw notThere(ref, before);
  const compared = expected === undefined || expected === 'some' ? {} : { expect: expected };
  const written = await updateRef(engine, { repo, ref, to, ...how, ...compared }, context);
  const moved = written.outcome.moves.find((each) => each.ref === ref);
  const [entry] = moved ? await graph.reflog(repo, { ref, before: moved.version + 1, limit: 1 }) : [];
  return {
    ref,
    name: shortRefName(ref),
    type: isTag(ref) ? 'tag' : 'branch',
    commit: moved ? moved.commit : to,
    version: moved?.version ?? before.version,
    from: entry ? entry.from : before.commit,
    changed: moved !== undefined,
    position: formatPosition(written.position),
    replayed: written.replayed,
  };
}

/** The value that is compared; `some` when the ref must exist and does not. */
function expectedValue(expect: RefExpectation | undefined, actual: RefValue): RefValue | 'some' | undefined {
  if (expect === 'absent') return { commit: null, version: actual.version };
  if (expect === 'present') return actual.commit === null ? 'some' : actual;
  return expect;
}

function notThere(ref: RefName, actual: RefValue): VarveError {
  return new VarveError('REF_STALE', `${ref} does not exist, and the request wants it to`, {
    ref,
    expected: '*',
    actual,
  });
}

function tagStays(ref: RefName): VarveError {
  return new VarveError('TAG_IMMUTABLE', `${ref} is a tag and stays where it is unless the request says moveTag`, {
    ref,
  });
}
