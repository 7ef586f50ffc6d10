import { VarveError } from '#core/error';
import { parseRevision } from '#core/revision';
import type { NamedPath } from '#client/file-answer';
import { terminalText } from './terminal-text.js';

/** A revision and a path in its tree; no path is the root. */
export interface PathArgument {
  readonly rev: string;
  readonly path: string | undefined;
}

/** `REV:PATH`, or REV and PATH apart. @throws NAME_INVALID, REQUEST_INVALID when there are two paths */
export function revisionAndPath(text: string, path: string | undefined): PathArgument {
  const revision = parseRevision(text);
  if (revision.type !== 'path') return { rev: text, path };
  if (path !== undefined) {
    throw new VarveError('REQUEST_INVALID', `"${text}" has a path already, and "${path}" is another one`);
  }
  return { rev: text.slice(0, text.length - revision.path.length - 1), path: revision.path };
}

/** A path on a line of its own, harmless for a terminal. The root is `/`. */
export function pathText({ path }: NamedPath): string {
  return path === '' ? '/' : lineText(path);
}

/** Text that may not break its line. */
export function lineText(text: string): string {
  return terminalText(text).replaceAll('\n', '\\u000a').replaceAll('\t', '\\u0009');
}
