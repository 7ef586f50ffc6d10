import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rm, rmdir, stat } from 'node:fs/promises';
import { fileError } from '../file-error.js';

/**
 * A new directory that is kept open. Who may write to the directory around it can move it away and put a link in its
 * place: `path` still means the directory that was made, wherever it is by then.
 */
export class HeldDirectory {
  /** Where it was made. */
  readonly madeAt: string;
  /** Leads to it through the open file; where the system has no /proc, `madeAt`. */
  readonly path: string;
  readonly #handle: FileHandle;
  #isClosed = false;

  private constructor(madeAt: string, path: string, handle: FileHandle) {
    this.madeAt = madeAt;
    this.path = path;
    this.#handle = handle;
  }

  /** Makes it, for us alone: no other user may enter it, so none can plant links in it. @throws REQUEST_INVALID, STORAGE_FULL */
  static async make(madeAt: string): Promise<HeldDirectory> {
    try {
      await mkdir(madeAt, { mode: 0o700 });
      const handle = await open(madeAt, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
      try {
        await takeFromParent(handle);
        const path = `/proc/${process.pid}/fd/${handle.fd}`;
        return new HeldDirectory(madeAt, (await isSame(handle, path)) ? path : madeAt, handle);
      } catch (error) {
        await handle.close();
        throw error;
      }
    } catch (cause) {
      throw fileError(madeAt, 'make', cause);
    }
  }

  /** Whether it still is where it was made. */
  isInPlace(): Promise<boolean> {
    return isSame(this.#handle, this.madeAt);
  }

  /** Removes what is in it, wherever it is; then itself, unless it was moved away. No effect when it is closed. */
  async remove(): Promise<void> {
    // The number of a closed file may be another's by now, and `path` lead there.
    if (this.#isClosed) return;
    for (const name of await readdir(this.path)) await rm(`${this.path}/${name}`, { recursive: true, force: true });
    if (await this.isInPlace()) await rmdir(this.madeAt);
    await this.close();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#handle.close();
  }
}

/** In a directory with the set-group-id bit, what is made takes group and bit from it, and passes them on. */
async function takeFromParent(handle: FileHandle): Promise<void> {
  const [uid, gid] = [process.geteuid?.(), process.getegid?.()];
  if (uid !== undefined && gid !== undefined) await handle.chown(uid, gid);
  await handle.chmod(0o700);
}

async function isSame(handle: FileHandle, path: string): Promise<boolean> {
  const [held, found] = await Promise.all([handle.stat(), stat(path).catch(() => undefined)]);
  return found !== undefined && found.dev === held.dev && found.ino === held.ino;
}
