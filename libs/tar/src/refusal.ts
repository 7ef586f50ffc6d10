import { VarveError } from '#core/error';

/**
 * The stable word of every reason to refuse a tar or a layer; `detail.rule` of the error. The codes beside it:
 * `LAYER_INVALID` (of an archive: `ARCHIVE_INVALID`) for what must not be, `LIMIT_EXCEEDED` for what is too much.
 * @see union/SPEC 4.4, 4.5
 */
export type Rule =
  // How the tar is framed.
  | 'bad-checksum'
  | 'bad-number'
  | 'both-long-names'
  | 'dangling-extended-header'
  | 'global-header'
  | 'header-after-zero-block'
  | 'id-out-of-range'
  | 'malformed-pax'
  | 'malformed-time'
  | 'negative-size'
  | 'sparse-map'
  | 'time-out-of-range'
  | 'truncated-body'
  | 'truncated-header'
  | 'two-pax-headers'
  | 'unknown-typeflag'
  // What an entry is called and means.
  | 'component-too-long'
  | 'device-out-of-range'
  | 'empty-link'
  | 'invalid-whiteout'
  | 'link-to-root'
  | 'link-too-long'
  | 'nul-in-name'
  | 'path-escapes'
  | 'path-too-long'
  | 'reserved-name'
  | 'root-not-directory'
  | 'xattrs-too-large'
  // How the entries of a stack fit together.
  | 'dangling-link'
  | 'link-to-directory'
  | 'parent-not-directory'
  | 'symlink-loop'
  // Limits.
  | 'extended-header-too-large'
  | 'file-too-large'
  | 'layer-too-large'
  | 'names-too-large'
  | 'path-too-deep'
  | 'too-many-entries'
  | 'too-many-link-steps'
  | 'tree-too-large';

/** Where in a tar something is: the 0-based number of the entry, and the byte offset of its own header block. */
export interface TarPlace {
  readonly code: 'LAYER_INVALID' | 'ARCHIVE_INVALID';
  readonly entry: number;
  readonly offset: number;
}

/** The error for a tar that must not be accepted. `path` is shown as lossy UTF-8. */
export function refusal(place: TarPlace, rule: Rule, message: string, path?: Uint8Array): VarveError {
  return new VarveError(place.code, told(place, message, path), detailOf(place, rule, path));
}

/** The error for a tar that is too much of something. @see union/SPEC 4.5 */
export function overLimit(place: TarPlace, rule: Rule, message: string, path?: Uint8Array): VarveError {
  return new VarveError('LIMIT_EXCEEDED', told(place, message, path), detailOf(place, rule, path));
}

function told({ entry, offset }: TarPlace, message: string, path: Uint8Array | undefined): string {
  const name = path === undefined ? '' : ` "${lossy(path)}"`;
  return `tar entry ${entry}${name} at byte ${offset}: ${message}`;
}

function detailOf({ entry, offset }: TarPlace, rule: Rule, path: Uint8Array | undefined): Record<string, unknown> {
  return { entry, offset, rule, ...(path !== undefined && { path: lossy(path) }) };
}

const shownBytesMax = 512;

/** Names in messages are for people: lossy, and short. */
export function lossy(path: Uint8Array): string {
  const shown = Buffer.from(path.buffer, path.byteOffset, Math.min(path.length, shownBytesMax)).toString('utf8');
  return path.length > shownBytesMax ? `${shown}…` : shown;
}
