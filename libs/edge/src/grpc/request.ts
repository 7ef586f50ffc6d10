import { isCommitId } from '#core/commit';
import { VarveError } from '#core/error';
import type { RefOperation } from '#core/event';
import type { RefExpectation as ExpectationMessage } from '#proto/gen/varve/v1/ref';
import type { RefExpectation } from '../command/ref-expectation.js';
import { refMove } from '../rest/schema.js';

/** @throws REQUEST_INVALID when it is given and not from 1 to `max` */
export function pageSizeOf(given: number | undefined, { standard, max }: { standard: number; max: number }): number {
  const size = given ?? standard;
  if (Number.isInteger(size) && size >= 1 && size <= max) return size;
  throw new VarveError('REQUEST_INVALID', `page_size is ${size}: expected 1 to ${max}`, { pageSize: size });
}

/** What the reflog is to call a move. @throws REQUEST_INVALID when it is none a caller may name */
export function operationOf(given: string | undefined): RefOperation {
  const { success, data } = refMove.shape.operation.safeParse(given);
  if (success) return data ?? 'update';
  throw new VarveError('REQUEST_INVALID', `operation is "${given}": expected branch, tag, reset or update`, { given });
}

/** @throws REQUEST_INVALID when it is negative */
export function countOf(name: string, given: number | undefined): number | undefined {
  if (given === undefined || given >= 0) return given;
  throw new VarveError('REQUEST_INVALID', `${name} is ${given}: expected a count`, { [name]: given });
}

/** @throws REQUEST_INVALID when the state is none a ref can have */
export function expectationOf(message: ExpectationMessage | undefined): RefExpectation | undefined {
  const wanted = message?.expectation;
  if (wanted === undefined) return undefined;
  if (wanted.$case !== 'state') return wanted.value ? wanted.$case : undefined;
  const { commit, version } = wanted.value;
  if (isCommitId(commit) && version >= 0) return { commit, version };
  throw new VarveError('REQUEST_INVALID', `"${commit}" with version ${version} is not the state of a ref`, {
    commit,
    version,
  });
}
