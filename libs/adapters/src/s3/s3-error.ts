import { isVarveError, VarveError } from '#core/error';
import { ServerTrouble } from './s3-transport.js';

/** The connection broke, or never was. */
const networkCodes: ReadonlySet<string> = new Set(
  (
    'ECONNREFUSED ECONNRESET ECONNABORTED EPIPE ETIMEDOUT EHOSTUNREACH ENETUNREACH ENETDOWN ' +
    'EAI_AGAIN ENOTFOUND HPE_INVALID_CONSTANT ERR_STREAM_PREMATURE_CLOSE'
  ).split(' '),
);
/**
 * A body that came too slowly or not to its end; and versitygw's word for a folder that went away, because it was empty,
 * while an object was put into it: no key of ours is a folder of another.
 */
const passingCodes: ReadonlySet<string> = new Set(['RequestTimeout', 'IncompleteBody', 'ExistingObjectIsDirectory']);
const fullCodes: ReadonlySet<string> = new Set(['XMinioStorageFull', 'InsufficientStorage', 'QuotaExceeded']);
const absentCodes: ReadonlySet<string> = new Set(['NoSuchKey', 'NotFound', 'XMinioInvalidObjectName']);

/** What the operating system or the server called it; empty when it has no name. */
export function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}

/** The same request may succeed in a moment. */
export function isPassing(error: unknown): boolean {
  if (error instanceof ServerTrouble) return !fullCodes.has(error.code) && error.status !== 507;
  return networkCodes.has(codeOf(error)) || passingCodes.has(codeOf(error));
}

export function isAbsent(error: unknown): boolean {
  return absentCodes.has(codeOf(error));
}

export function isRefusal(error: unknown): boolean {
  return codeOf(error) === 'AccessDenied';
}

/** A range that begins behind the last byte. */
export function isBehindEnd(error: unknown): boolean {
  return codeOf(error) === 'InvalidRange';
}

/** The upload was completed or aborted. */
export function isUploadGone(error: unknown): boolean {
  return codeOf(error) === 'NoSuchUpload';
}

/**
 * An error of the client, the server or the network in our words: STORAGE_FULL when the server has no room,
 * UNAVAILABLE for the rest. Our own errors pass unchanged. `action` is told in the message: `store`, `read`.
 */
export function s3Error(action: string, key: string, error: unknown): VarveError {
  if (isVarveError(error)) return error;
  const isFull =
    fullCodes.has(codeOf(error)) ||
    (error instanceof ServerTrouble && (fullCodes.has(error.code) || error.status === 507));
  const name = codeOf(error) || (error instanceof Error ? error.name : 'error');
  const text = error instanceof Error && error.message !== '' ? error.message : name;
  return new VarveError(
    isFull ? 'STORAGE_FULL' : 'UNAVAILABLE',
    isFull ? `no room left: cannot ${action} ${key} (${text})` : `cannot ${action} ${key}: ${text}`,
    { key, code: name },
    { cause: error },
  );
}
