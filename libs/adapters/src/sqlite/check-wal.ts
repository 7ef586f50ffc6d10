import { statSync } from 'node:fs';
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { VarveError } from '#core/error';
import { type DatabaseName, resultCodeOf } from './sqlite-error.js';

/** Reads a number that only grows with what is committed. Throws what the driver throws. */
export type HowFar = (read: (sql: string) => Record<string, SQLOutputValue> | undefined) => number;

/** No such table or column; malformed; no database. */
const unreadable = new Set([1, 11, 26]);

/**
 * A commit stands in the WAL first and is copied into the file later, so the file alone is never ahead of both. Where it
 * is, the WAL was cut off, or is of another time than the file, and SQLite would read pages of two times as one state.
 * Looks without writing: closing a connection that may write would copy the older pages over the newer ones.
 * @throws CORRUPT
 */
export function checkWal(name: DatabaseName, howFar: HowFar): void {
  const { path, what, remedy } = name;
  if (!statSync(`${path}-wal`, { throwIfNoEntry: false })?.size) return;
  const alone = look(path, { isAlone: true }, howFar);
  const together = look(path, { isAlone: false }, howFar);
  if (typeof alone !== 'number' || together === 'unknown') return;
  if (together !== 'unreadable' && together >= alone) return;
  const message = `the ${what} at ${path} cannot be read: the file is newer than ${path}-wal, which was cut off or belongs to an older copy. ${remedy}`;
  throw new VarveError('CORRUPT', message, { path });
}

/** Unknown is what opening it for good will tell of: no permission, a read-only file system. */
function look(path: string, { isAlone }: { isAlone: boolean }, howFar: HowFar): number | 'unreadable' | 'unknown' {
  let db: DatabaseSync | undefined;
  try {
    const url = pathToFileURL(path);
    if (isAlone) url.searchParams.set('immutable', '1');
    const opened = new DatabaseSync(url, { readOnly: true, timeout: 1_000 });
    db = opened;
    return howFar((sql) => opened.prepare(sql).get());
  } catch (error) {
    return unreadable.has(resultCodeOf(error)) ? 'unreadable' : 'unknown';
  } finally {
    db?.close();
  }
}
