import { VarveError } from '#core/error';
import { limit } from '#core/limit';
import { parseRefName, parseRepositoryName } from '#core/name';
import {
  type MovedRef as MovedRefMessage,
  MoveMode,
  type Ref,
  RefServiceService,
  type RefServiceServer,
  RefType,
} from '#proto/gen/varve/v1/ref';
import type { Written } from '#proto/gen/varve/v1/written';
import { readReflog } from '#query/reflog';
import { type ExistingRef, getRef } from '#query/refs';
import { resolveRefName } from '#query/resolve';
import { refsOf } from '../command/list-refs.js';
import { deleteRef, putRef, restoreRef, rollbackRef, type WrittenRef } from '../command/move-ref.js';
import type { MovedRef } from '../command/moved-ref.js';
import { putRefs } from '../command/move-refs.js';
import type { Engine } from '../engine.js';
import { renderMove, renderRef } from '../rest/answer.js';
import { absent } from './absent.js';
import { pageOf } from './batch.js';
import { writeContextOf } from './call.js';
import type { Calls } from './calls.js';
import { countOf, expectationOf, operationOf, pageSizeOf } from './request.js';
import type { Served } from './served.js';

const refBytes = 400;
/** A reason and a name of an actor have up to so many. */
const moveBytes = 17 << 10;

export function refService(engine: Engine, calls: Calls): Served {
  const server: RefServiceServer = {
    listRefs: calls.stream(async function* ({ repo, contains }, { engine: then }) {
      const refs = (await refsOf(then, parseRepositoryName(repo), contains)).map(refMessage);
      yield* pageOf(refs, () => refBytes, (some) => ({ refs: some })); // prettier-ignore
    }),
    getRef: calls.ask(async ({ repo: name, ref }, { engine: { graph } }) => {
      const repo = parseRepositoryName(name);
      return { ref: refMessage(await getRef(graph, repo, await resolveRefName(graph, repo, ref))) };
    }),
    updateRef: calls.write(async (asked, call) => {
      const context = writeContextOf(call, { reason: asked.reason, asked });
      const move = {
        repo: parseRepositoryName(asked.repo),
        ref: parseRefName(asked.ref),
        to: asked.to,
        mode: modeOf(asked.mode),
        operation: operationOf(asked.operation),
        expect: expectationOf(asked.expect),
      } as const;
      return movedMessage(await putRef(engine, move, context));
    }),
    deleteRef: calls.write(async (asked, call) => {
      const context = writeContextOf(call, { reason: asked.reason, asked });
      const [repo, ref] = [parseRepositoryName(asked.repo), parseRefName(asked.ref)];
      return movedMessage(await deleteRef(engine, { repo, ref, expect: expectationOf(asked.expect) }, context));
    }),
    batchUpdateRefs: calls.write(async (asked, call) => {
      const context = writeContextOf(call, { reason: asked.reason, asked });
      const updates = asked.updates.map(({ ref, to, mode, expect }) => ({
        ref: parseRefName(ref),
        to: to ?? null,
        mode: modeOf(mode),
        expect: expectationOf(expect),
      }));
      checkCount(updates.length);
      const moved = await putRefs(engine, { repo: parseRepositoryName(asked.repo), updates }, context);
      const { position, replayed } = moved;
      return { refs: moved.refs.map(movedRefMessage), written: { position, replayed } };
    }),
    restoreRef: calls.write(async (asked, call) => {
      const context = writeContextOf(call, { reason: asked.reason, asked });
      const [repo, ref] = [parseRepositoryName(asked.repo), asked.ref];
      return movedMessage(await restoreRef(engine, { repo, ref, expect: expectationOf(asked.expect) }, context));
    }),
    rollbackRef: calls.write(async (asked, call) => {
      const context = writeContextOf(call, { reason: asked.reason, asked });
      const { ref, to, moveTag } = asked;
      const move = { repo: parseRepositoryName(asked.repo), ref, to, moveTag, expect: expectationOf(asked.expect) };
      return movedMessage(await rollbackRef(engine, move, context));
    }),
    listReflog: calls.stream(async function* (asked, { engine: then }) {
      const { graph } = then;
      const repo = parseRepositoryName(asked.repo);
      const question = {
        ref: asked.ref === undefined ? undefined : await resolveRefName(graph, repo, asked.ref),
        limit: pageSizeOf(asked.pageSize, { standard: 100, max: limit.pageMax }),
        before: countOf('before', asked.before),
      };
      const { moves, before } = await readReflog(graph, repo, question);
      const told = moves.map((move) => {
        const { from, to, ...rest } = absent(renderMove(then, repo, move));
        return { ...rest, previousCommit: from, commit: to };
      });
      yield* pageOf(told, () => moveBytes, (some, isLast) => ({ moves: some, before: isLast ? (before ?? undefined) : undefined })); // prettier-ignore
    }),
  };
  return { definition: RefServiceService, server };
}

function refMessage(ref: ExistingRef): Ref {
  const rendered = renderRef(ref);
  return { ...rendered, type: typeOf(rendered.type) };
}

function movedMessage(moved: WrittenRef): { ref: MovedRefMessage; written: Written } {
  const { position, replayed, ...ref } = moved;
  return { ref: movedRefMessage(ref), written: { position, replayed } };
}

function movedRefMessage(moved: MovedRef): MovedRefMessage {
  const { from, ...ref } = absent(moved);
  return { ...ref, type: typeOf(moved.type), previousCommit: from };
}

function modeOf(mode: MoveMode): 'ff' | 'force' {
  return mode === MoveMode.MOVE_MODE_FORCE ? 'force' : 'ff';
}

/** @throws REQUEST_INVALID */
function checkCount(count: number): void {
  const max = limit.refUpdatesPerRecordMax;
  if (count >= 1 && count <= max) return;
  throw new VarveError('REQUEST_INVALID', `there are ${count} updates: expected 1 to ${max}`, { updates: count });
}

function typeOf(type: 'branch' | 'tag'): RefType {
  return type === 'tag' ? RefType.REF_TYPE_TAG : RefType.REF_TYPE_BRANCH;
}
