import { type ErrorCode, isVarveError } from '#core/error';

/** So often a write that a fence came before is made again with fresh copies before its caller is told. */
export const fencedTriesMax = 3;

const codes: ReadonlySet<ErrorCode> = new Set(['BLOB_GONE', 'GC_EPOCH_STALE']);

/**
 * Whether a collection of garbage was faster than the write: it certainly did not take effect, and with copies that are
 * sealed after its fence it may. @see event-log 1.6 rule 13
 */
export function isFenced(error: unknown): boolean {
  return isVarveError(error) && codes.has(error.code);
}
