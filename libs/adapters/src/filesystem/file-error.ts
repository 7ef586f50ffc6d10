import { isVarveError, VarveError } from '#core/error';

/**
 * An operating system's error in our words: STORAGE_FULL when there is no room (on the disk, in the quota, under the
 * process's limit), UNAVAILABLE for the rest (no
 * permission, read-only, input/output error). Our own errors pass unchanged.
 */
export function fileError(action: string, path: string, cause: unknown): VarveError {
  if (isVarveError(cause)) return cause;
  const code = errnoOf(cause);
  const isFull = code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG';
  return new VarveError(
    isFull ? 'STORAGE_FULL' : 'UNAVAILABLE',
    isFull ? `no room left: cannot ${action} ${path} (${code})` : `cannot ${action} ${path} (${code ?? String(cause)})`,
    { path, errno: code ?? null },
    { cause },
  );
}

/** `ENOENT` and its like, or undefined when it is no error of the operating system. */
export function errnoOf(error: unknown): string | undefined {
  // Not by `instanceof`: an error that was made in another realm (a test's, a worker's) is one too.
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
