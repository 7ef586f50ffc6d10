import type { ErrorCode } from '#core/error';
import { exitCode } from '#core/exit-code';

/**
 * How one code looks at each door. `retryAfterSeconds` is null where asking again is of no use; what happens first
 * (re-read the ref, upload the blob) is the caller's to know.
 */
export interface Rendering {
  readonly title: string;
  readonly http: number;
  readonly grpc: GrpcStatus;
  /** The code of the OCI distribution protocol, null where no such request can fail this way. */
  readonly oci: string | null;
  readonly exit: number;
  readonly retryAfterSeconds: number | null;
}

/** @see google.rpc.Code */
export type GrpcStatus =
  | 'CANCELLED'
  | 'INVALID_ARGUMENT'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'PERMISSION_DENIED'
  | 'RESOURCE_EXHAUSTED'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'OUT_OF_RANGE'
  | 'UNIMPLEMENTED'
  | 'INTERNAL'
  | 'UNAVAILABLE'
  | 'DATA_LOSS'
  | 'UNAUTHENTICATED';

/** The only place that knows numbers. A code that is not here does not compile. @see style.md 3.7 */
export const errorRendering = {
  NAME_INVALID: row('A name is not well formed', 400, 'INVALID_ARGUMENT', 'NAME_INVALID'),
  DIGEST_INVALID: row('A digest is not well formed', 400, 'INVALID_ARGUMENT', 'DIGEST_INVALID'),
  DIGEST_MISMATCH: row('The bytes have another digest', 400, 'INVALID_ARGUMENT', 'DIGEST_INVALID'),
  SIZE_MISMATCH: row('The bytes have another length', 400, 'INVALID_ARGUMENT', 'SIZE_INVALID'),
  MANIFEST_INVALID: row('The manifest is not one we accept', 400, 'INVALID_ARGUMENT', 'MANIFEST_INVALID'),
  LAYER_INVALID: row('The layer is not one we accept', 422, 'INVALID_ARGUMENT', 'BLOB_UPLOAD_INVALID'),
  ARCHIVE_INVALID: row('The archive is not one we read', 422, 'INVALID_ARGUMENT', null),
  COMMIT_INVALID: row('The commit is not well formed', 422, 'INVALID_ARGUMENT', null),
  REQUEST_INVALID: row('The request is not well formed', 400, 'INVALID_ARGUMENT', 'UNSUPPORTED'),
  REVISION_AMBIGUOUS: row('The revision means several commits', 400, 'INVALID_ARGUMENT', null),
  REPOSITORY_UNKNOWN: row('There is no such repository', 404, 'NOT_FOUND', 'NAME_UNKNOWN'),
  REPOSITORY_EXISTS: row('The repository exists already', 409, 'ALREADY_EXISTS', null),
  REF_UNKNOWN: row('There is no such ref', 404, 'NOT_FOUND', 'MANIFEST_UNKNOWN'),
  COMMIT_UNKNOWN: row('There is no such commit', 404, 'NOT_FOUND', 'MANIFEST_UNKNOWN'),
  BLOB_UNKNOWN: row('There is no such blob', 404, 'NOT_FOUND', 'BLOB_UNKNOWN'),
  PATH_UNKNOWN: row('There is nothing at this path', 404, 'NOT_FOUND', null),
  UPLOAD_UNKNOWN: row('There is no such upload', 404, 'NOT_FOUND', 'BLOB_UPLOAD_UNKNOWN'),
  TRANSACTION_UNKNOWN: row('There is no outcome of this transaction', 404, 'NOT_FOUND', null),
  JOB_UNKNOWN: row('There is no such job', 404, 'NOT_FOUND', null),
  BLOB_MISSING: row('A blob that is named is not stored', 400, 'FAILED_PRECONDITION', 'MANIFEST_BLOB_UNKNOWN'),
  BLOB_GONE: row('A blob that is named was removed', 409, 'ABORTED', 'BLOB_UNKNOWN', 0),
  GC_EPOCH_STALE: row('The request is older than the garbage collection', 409, 'ABORTED', 'BLOB_UNKNOWN', 0),
  REF_STALE: row('It is not what the request expects', 409, 'ABORTED', null),
  EXPECTATION_REQUIRED: row('Force needs to know what it overwrites', 428, 'FAILED_PRECONDITION', null),
  NOT_FAST_FORWARD: row('The move would lose commits', 409, 'FAILED_PRECONDITION', 'DENIED'),
  TAG_IMMUTABLE: row('A tag does not move', 409, 'FAILED_PRECONDITION', 'DENIED'),
  TAG_TOMBSTONED: row('A deleted tag comes back only with its commit', 409, 'FAILED_PRECONDITION', 'DENIED'),
  POLICY_DENIED: row('A rule of the repository refuses this', 403, 'PERMISSION_DENIED', 'DENIED'),
  UPLOAD_RANGE: row('The chunk is out of order', 416, 'OUT_OF_RANGE', 'BLOB_UPLOAD_INVALID'),
  RANGE_INVALID: row('The range is outside the bytes', 416, 'OUT_OF_RANGE', null),
  POSITION_UNKNOWN: row('The position is not of this log', 410, 'OUT_OF_RANGE', null),
  NOT_PROJECTED: row('The position is not visible yet', 503, 'UNAVAILABLE', 'UNAVAILABLE', 1),
  OUTCOME_UNKNOWN: row('The outcome is not known yet', 503, 'UNAVAILABLE', 'UNAVAILABLE', 1),
  OUTCOME_EXPIRED: row('The outcome is forgotten', 410, 'NOT_FOUND', null),
  IDEMPOTENCY_KEY_REUSED: row('The idempotency key belongs to another request', 422, 'INVALID_ARGUMENT', null),
  TRANSACTION_CANCELLED: row('The transaction was cancelled', 409, 'ABORTED', null),
  JOB_FAILED: row('The job ended without a tarball', 409, 'FAILED_PRECONDITION', null),
  LIMIT_EXCEEDED: row('A limit is exceeded', 413, 'RESOURCE_EXHAUSTED', 'SIZE_INVALID'),
  OVERLOADED: row('Too much at once', 429, 'RESOURCE_EXHAUSTED', 'TOOMANYREQUESTS', 1),
  STORAGE_FULL: row('There is no room; nothing was kept', 507, 'RESOURCE_EXHAUSTED', 'UNAVAILABLE', 30),
  UNAUTHENTICATED: row('Say who you are', 401, 'UNAUTHENTICATED', 'UNAUTHORIZED'),
  DENIED: row('You may not do this', 403, 'PERMISSION_DENIED', 'DENIED'),
  UNSUPPORTED: row('This is known and not done here', 501, 'UNIMPLEMENTED', 'UNSUPPORTED'),
  UNAVAILABLE: row('A store cannot be reached', 503, 'UNAVAILABLE', 'UNAVAILABLE', 1),
  CORRUPT: row('Stored bytes are damaged', 500, 'DATA_LOSS', 'UNKNOWN'),
  LOG_TRUNCATED: row('The event log has lost records', 500, 'DATA_LOSS', 'UNKNOWN'),
  LOG_TIME_AHEAD: row('The event log is ahead of the clock', 503, 'UNAVAILABLE', 'UNAVAILABLE', 60),
  RECORD_INVALID: row('The record is not well formed', 422, 'INVALID_ARGUMENT', null),
  TIME_UNKNOWN: row('The log says nothing of that time', 404, 'OUT_OF_RANGE', null),
  PROOF_INVALID: row('The proof does not prove it', 422, 'INVALID_ARGUMENT', null),
  CHECKPOINT_UNLINKED: row('Nothing links the proof to the checkpoint', 409, 'FAILED_PRECONDITION', null),
  CHECKPOINT_FORKED: row('Two signed checkpoints contradict each other', 500, 'DATA_LOSS', null),
  CONFIG_INVALID: row('The configuration is wrong', 500, 'FAILED_PRECONDITION', null),
  DATA_IN_USE: row('Another process owns the data', 500, 'FAILED_PRECONDITION', null),
  PORT_IN_USE: row('The port is taken', 500, 'FAILED_PRECONDITION', null),
  CANCELLED: row('The caller left', 499, 'CANCELLED', null),
  INTERNAL: row('A fault of ours', 500, 'INTERNAL', 'UNKNOWN'),
} as const satisfies Record<ErrorCode, Omit<Rendering, 'exit'>>;

/** @see errorRendering, exitCode */
export function renderingOf(code: ErrorCode): Rendering {
  return { ...errorRendering[code], exit: exitCode[code] };
}

function row(
  title: string,
  http: number,
  grpc: GrpcStatus,
  oci: string | null,
  retryAfterSeconds: number | null = null,
): Omit<Rendering, 'exit'> {
  return { title, http, grpc, oci, retryAfterSeconds };
}
