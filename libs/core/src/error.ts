/** Every way a promise of ours can fail, as a stable word. `docs/reference/error.md` has one row for each. */
export type ErrorCode =
  | 'NAME_INVALID'
  | 'DIGEST_INVALID'
  | 'DIGEST_MISMATCH'
  | 'SIZE_MISMATCH'
  | 'MANIFEST_INVALID'
  | 'LAYER_INVALID'
  | 'ARCHIVE_INVALID'
  | 'COMMIT_INVALID'
  | 'REQUEST_INVALID'
  | 'REVISION_AMBIGUOUS'
  | 'REPOSITORY_UNKNOWN'
  | 'REPOSITORY_EXISTS'
  | 'REF_UNKNOWN'
  | 'COMMIT_UNKNOWN'
  | 'BLOB_UNKNOWN'
  | 'PATH_UNKNOWN'
  | 'UPLOAD_UNKNOWN'
  | 'TRANSACTION_UNKNOWN'
  | 'JOB_UNKNOWN'
  | 'BLOB_MISSING'
  | 'BLOB_GONE'
  | 'GC_EPOCH_STALE'
  | 'REF_STALE'
  | 'EXPECTATION_REQUIRED'
  | 'NOT_FAST_FORWARD'
  | 'TAG_IMMUTABLE'
  | 'TAG_TOMBSTONED'
  | 'POLICY_DENIED'
  | 'UPLOAD_RANGE'
  | 'RANGE_INVALID'
  | 'POSITION_UNKNOWN'
  | 'NOT_PROJECTED'
  | 'OUTCOME_UNKNOWN'
  | 'OUTCOME_EXPIRED'
  | 'IDEMPOTENCY_KEY_REUSED'
  | 'TRANSACTION_CANCELLED'
  | 'JOB_FAILED'
  | 'LIMIT_EXCEEDED'
  | 'OVERLOADED'
  | 'STORAGE_FULL'
  | 'UNAUTHENTICATED'
  | 'DENIED'
  | 'UNSUPPORTED'
  | 'UNAVAILABLE'
  | 'CORRUPT'
  | 'LOG_TRUNCATED'
  | 'LOG_TIME_AHEAD'
  | 'RECORD_INVALID'
  | 'TIME_UNKNOWN'
  | 'PROOF_INVALID'
  | 'CHECKPOINT_UNLINKED'
  | 'CHECKPOINT_FORKED'
  | 'CONFIG_INVALID'
  | 'DATA_IN_USE'
  | 'PORT_IN_USE'
  | 'CANCELLED'
  | 'INTERNAL';

/** Plain JSON about an error: what was expected, what was found, which entry, which candidates. */
export type ErrorDetail = Readonly<Record<string, unknown>>;

/**
 * A promise that could not be kept. The message names the thing and both sides of the disagreement;
 * `code` is stable and is the only part a program may read. Only `edge/error-rendering.ts` knows numbers.
 */
export class VarveError extends Error {
  override readonly name = 'VarveError';
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}, options: { cause?: unknown } = {}) {
    super(message, options);
    this.code = code;
    this.detail = detail;
  }
}

export function isVarveError(error: unknown, code?: ErrorCode): error is VarveError {
  return error instanceof VarveError && (code === undefined || error.code === code);
}

/** Checks our own logic; a failure is a bug of ours, never of the input. @throws INTERNAL */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new VarveError('INTERNAL', message);
}

/** Makes a `switch` over a closed union exhaustive. */
export function unreachable(value: never): never {
  throw new VarveError('INTERNAL', `unhandled case ${JSON.stringify(value)}`);
}
