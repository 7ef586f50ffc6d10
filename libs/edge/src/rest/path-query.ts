import { VarveError } from '#core/error';
import { parsePath } from '#query/path-argument';

/** The path that a query names, as text or as base64; the root when it names none. @throws REQUEST_INVALID */
export function pathOf({
  path,
  pathBase64,
}: {
  readonly path?: string | undefined;
  readonly pathBase64?: string | undefined;
}): Buffer {
  if (path !== undefined && pathBase64 !== undefined) {
    throw new VarveError('REQUEST_INVALID', 'path and pathBase64 name one path, so give one of them');
  }
  return parsePath(pathBase64 === undefined ? (path ?? '') : Buffer.from(pathBase64, 'base64'));
}
