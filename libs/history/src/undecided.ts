import { type ErrorCode, isVarveError } from '#core/error';

const codes: ReadonlySet<ErrorCode> = new Set([
  'OUTCOME_UNKNOWN',
  'OUTCOME_EXPIRED',
  'CANCELLED',
  'UNAVAILABLE',
  'INTERNAL',
  'CORRUPT',
]);

/** Whether a write that failed so may stand in the log all the same, and may name what was sealed for it. */
export function isUndecided(error: unknown): boolean {
  return !isVarveError(error) || codes.has(error.code);
}
