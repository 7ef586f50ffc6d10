import { closeSync, fsync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { errnoOf, fileError } from './file-error.js';

const syncFile = promisify(fsync);

/**
 * Folders whose entries survive a power cut. A name is durable when its folder was fsynced after the name was made;
 * wishes for one folder that come while an fsync of it runs share the next one.
 */
export class DurableFolders {
  readonly #known = new Set<string>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #queued = new Map<string, Promise<void>>();

  /** Makes the last folder of a path, and its parent where that is missing; both entries are durable on return. */
  async make(path: string): Promise<void> {
    const parent = dirname(path);
    if (!this.#known.has(parent)) {
      makeFolder(parent);
      await this.sync(dirname(parent));
      this.#known.add(parent);
    }
    makeFolder(path);
    // Also when it was there: whoever made it may not have come to the fsync yet.
    await this.sync(parent);
  }

  /** Makes a folder for what can be made again: no fsync. */
  makeLoose(path: string): void {
    if (this.#known.has(path)) return;
    makeFolder(path);
    this.#known.add(path);
  }

  /** Makes all names that stand in the folder now durable. @throws UNAVAILABLE, STORAGE_FULL */
  sync(path: string): Promise<void> {
    const queued = this.#queued.get(path);
    if (queued) return queued;
    const before = this.#running.get(path) ?? Promise.resolve();
    const next = before
      .catch(() => undefined)
      .then(() => {
        this.#queued.delete(path);
        const run = syncFolder(path).finally(() => {
          if (this.#running.get(path) === run) this.#running.delete(path);
        });
        this.#running.set(path, run);
        return run;
      });
    this.#queued.set(path, next);
    return next;
  }
}

/**
 * Makes a folder and every missing one above it. Their entries are durable on return, also that of a folder which was
 * there: whoever made it may have been killed before its fsync. @throws UNAVAILABLE, STORAGE_FULL
 */
export async function makeRoot(path: string): Promise<void> {
  let top: string;
  try {
    top = dirname(mkdirSync(path, { recursive: true }) ?? path);
  } catch (cause) {
    throw fileError('make the folder', path, cause);
  }
  for (let folder = path; folder !== top;) {
    folder = dirname(folder);
    await syncFolder(folder);
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path);
  } catch (cause) {
    if (errnoOf(cause) === 'EEXIST') return;
    if (errnoOf(cause) !== 'ENOENT') throw fileError('make the folder', path, cause);
    makeFolder(dirname(path));
    makeFolder(path);
  }
}

/** Opening a folder is cheaper than a trip through the thread pool; waiting for the disk is not. */
async function syncFolder(path: string): Promise<void> {
  try {
    const file = openSync(path, 'r');
    try {
      await syncFile(file);
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw fileError('sync the folder', path, cause);
  }
}
