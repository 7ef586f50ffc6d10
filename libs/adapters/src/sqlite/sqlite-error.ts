import { isNativeError } from 'node:util/types';
import { type ErrorCode, isVarveError, VarveError } from '#core/error';

/** SQLite's primary result codes that mean something to us; an extended code carries one in its low byte. */
const codes: Readonly<Record<number, ErrorCode>> = { 11: 'CORRUPT', 13: 'STORAGE_FULL', 26: 'CORRUPT' };

/** IOERR_SHMSIZE: there is no room for the index of a WAL, which SQLite does not call full. */
const noRoomForIndex = 4_874;

/** How to speak of one database in errors, and what to do when its bytes are not what was written. */
export interface DatabaseName {
  readonly path: string;
  readonly what: string;
  readonly remedy: string;
}

/** A driver's error in our words: full, corrupt, or for everything else (busy, read-only, I/O) unavailable. */
export function translateError(error: unknown, name: DatabaseName): VarveError {
  if (isVarveError(error)) return error;
  const code =
    extendedCodeOf(error) === noRoomForIndex ? 'STORAGE_FULL' : (codes[resultCodeOf(error)] ?? 'UNAVAILABLE');
  const reason = reasonOf(error);
  const messages: Partial<Record<ErrorCode, string>> = {
    CORRUPT: `the ${name.what} at ${name.path} cannot be read: ${reason}. ${name.remedy}`,
    STORAGE_FULL: `there is no room to write the ${name.what} at ${name.path}: ${reason}`,
  };
  const message = messages[code] ?? `the ${name.what} at ${name.path} does not answer: ${reason}`;
  return new VarveError(code, message, { path: name.path }, { cause: error });
}

/** What the driver says. */
export function reasonOf(error: unknown): string {
  return isNativeError(error) ? error.message : String(error);
}

/** SQLite's primary result code, -1 for an error that is not SQLite's. */
export function resultCodeOf(error: unknown): number {
  const code = extendedCodeOf(error);
  return code < 0 ? code : code & 0xff;
}

function extendedCodeOf(error: unknown): number {
  // Not `instanceof`: the driver's errors may come from another realm.
  const code = isNativeError(error) && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' ? code : -1;
}
