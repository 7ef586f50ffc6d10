import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { VarveError } from '#core/error';
import { reasonOf, resultCodeOf } from './sqlite-error.js';

/** Held until `release`, or until the process ends, however it ends: the kernel keeps the lock, not the file. */
export interface FolderLock {
  release(): void;
}

/**
 * Makes the folder, if need be, and takes it for this process alone: an exclusive SQLite transaction on `lock.db` that
 * stays open. Unlike a file with a process id, it cannot be left behind by a crash.
 * @throws DATA_IN_USE when another process, or this one, has the folder; UNAVAILABLE when it cannot be made or written
 */
export function lockFolder(folder: string): FolderLock {
  let db: DatabaseSync | undefined;
  try {
    mkdirSync(folder, { recursive: true });
    // A lock on a file that cannot be written keeps nobody out.
    accessSync(folder, constants.W_OK);
    db = new DatabaseSync(join(folder, 'lock.db'), { timeout: 0 });
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db?.close();
    throw refusal(folder, error);
  }
  const held = db;
  return { release: () => held.isOpen && held.close() };
}

const busy = 5;

function refusal(folder: string, cause: unknown): VarveError {
  if (resultCodeOf(cause) === busy) {
    const message = `the data folder ${folder} is in use by another process; a folder serves one at a time`;
    return new VarveError('DATA_IN_USE', message, { folder }, { cause });
  }
  const message = `the data folder ${folder} cannot be used: ${reasonOf(cause)}`;
  return new VarveError('UNAVAILABLE', message, { folder }, { cause });
}
