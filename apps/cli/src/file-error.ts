import { VarveError } from '#core/error';

/**
 * What went wrong with a file of the caller's machine, as an error that names it: STORAGE_FULL when there is no room,
 * UNAVAILABLE when the disk fails, REQUEST_INVALID (no such file, not allowed) otherwise.
 */
export function fileError(path: string, wish: string, cause: unknown): VarveError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? 'UNKNOWN';
  const full = ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(code);
  const message = `cannot ${wish} ${path}: ${reasons[code] ?? (cause instanceof Error ? cause.message : code)}`;
  return new VarveError(
    full ? 'STORAGE_FULL' : code === 'EIO' ? 'UNAVAILABLE' : 'REQUEST_INVALID',
    message,
    { path, reason: code },
    { cause },
  );
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of the path is not a directory',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the quota is used up',
  EFBIG: 'larger than a file may be here',
  EROFS: 'the file system is read-only',
  ENAMETOOLONG: 'the name is too long for this system',
  EBUSY: 'it is in use (a mount point?)',
  EIO: 'the disk failed',
};
