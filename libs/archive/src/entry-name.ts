import { VarveError } from '#core/error';

/**
 * The one spelling of a path inside an archive: components joined by `/`, none of them empty, `.` or `..`.
 * The archive's root is ''. @throws ARCHIVE_INVALID for a name that is not UTF-8, or leaves the archive
 */
export function entryNameOf(raw: Uint8Array): string {
  let name: string;
  try {
    name = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw);
  } catch (cause) {
    const shown = Buffer.from(raw).toString('latin1');
    throw invalid(shown, 'names are UTF-8', `entry name ${JSON.stringify(shown)} is not UTF-8`, cause);
  }
  if (name.startsWith('/') || name.split('/').includes('..')) {
    throw invalid(name, 'names stay inside the archive', `entry name ${JSON.stringify(name)} leaves the archive`);
  }
  return componentsOf(name).join('/');
}

/** The parts of a path that say something. */
export function componentsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

/** An archive is refused; the message names the entry, `rule` what it broke. */
export function invalid(entry: string, rule: string, message: string, cause?: unknown): VarveError {
  return new VarveError('ARCHIVE_INVALID', `archive refused: ${message}`, { entry, rule }, { cause });
}
