import { VarveError } from '#core/error';
import { limit } from '#core/limit';

/**
 * A path as people write it, as the bytes a tree knows it by: relative to the root, without empty and `.` components.
 * No bytes are the root. `..` is refused: which directory it means depends on links.
 * @throws REQUEST_INVALID
 */
export function parsePath(text: string | Uint8Array): Buffer {
  const raw = Buffer.from(text);
  const components = raw
    .toString('latin1')
    .split('/')
    .filter((component) => component !== '' && component !== '.');
  const shown = raw.subarray(0, limit.componentBytesMax).toString();
  if (components.includes('..')) {
    throw new VarveError('REQUEST_INVALID', `"${shown}" has "..": write the path from the root`, { path: shown });
  }
  if (raw.includes(0) || raw.length > limit.pathBytesMax) {
    const message = `"${shown}" is no path: it has a NUL, or more than ${limit.pathBytesMax} bytes`;
    throw new VarveError('REQUEST_INVALID', message, { path: shown });
  }
  return Buffer.from(components.join('/'), 'latin1');
}

/** A path for a message: lossy, the root as `/`. */
export function shownPath(path: Uint8Array): string {
  return path.length === 0 ? '/' : Buffer.from(path).toString();
}
