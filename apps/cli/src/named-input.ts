import { type ErrorCode, isVarveError, VarveError } from '#core/error';

/** What a server says of bytes it was sent; it cannot know what file they came from. */
const aboutBytes: ReadonlySet<ErrorCode> = new Set([
  'ARCHIVE_INVALID',
  'LAYER_INVALID',
  'MANIFEST_INVALID',
  'DIGEST_MISMATCH',
  'SIZE_MISMATCH',
  'BLOB_MISSING',
]);

/** Sends `path` and puts its name before what the server finds wrong with it. */
export async function namedInput<T>(path: string, send: () => Promise<T>): Promise<T> {
  try {
    return await send();
  } catch (error) {
    if (!isVarveError(error) || !aboutBytes.has(error.code)) throw error;
    const name = path === '-' ? 'standard input' : path;
    throw new VarveError(error.code, `${name}: ${error.message}`, { ...error.detail, input: name }, { cause: error });
  }
}
