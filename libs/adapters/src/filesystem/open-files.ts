import { type FileHandle, open } from 'node:fs/promises';
import type { BlobReader } from '#ports/blob-store';
import { fileError } from './file-error.js';

interface OpenFile {
  readonly handle: FileHandle;
  readonly size: number;
  readonly inode: number;
  users: number;
  isForgotten: boolean;
}

/**
 * Files open for reading. A checkout opens the same few hundred layers and indexes again and again, so those that
 * nobody uses stay open, the least recently used are closed first.
 */
export class OpenFiles {
  readonly #idleMax: number;
  /** In the order of use, the latest last. */
  readonly #files = new Map<string, Promise<OpenFile>>();

  constructor(idleMax: number) {
    this.#idleMax = idleMax;
  }

  /** @throws the operating system's error, as it is */
  async open(path: string): Promise<BlobReader> {
    const opening = this.#files.get(path) ?? openFile(path);
    this.#files.delete(path);
    this.#files.set(path, opening);
    try {
      const file = await opening;
      file.users += 1;
      this.#closeIdle();
      return this.#reader(path, file);
    } catch (error) {
      if (this.#files.get(path) === opening) this.#files.delete(path);
      throw error;
    }
  }

  /** From now on the path is opened anew; readers of the old file go on. */
  forget(path: string): void {
    const opening = this.#files.get(path);
    this.#files.delete(path);
    void opening?.then(retire, () => undefined);
  }

  /**
   * Told of what lies at a path: when that is not the file that is open, or no file, somebody else has been there, and it
   * is opened anew.
   */
  async renew(path: string, found: { readonly ino: number; readonly size: number } | undefined): Promise<void> {
    const opening = this.#files.get(path);
    const file = await opening?.catch(() => undefined);
    const isSame = file?.inode === found?.ino && file?.size === found?.size;
    if (file && !isSame && this.#files.get(path) === opening) this.forget(path);
  }

  close(): void {
    for (const path of this.#files.keys()) this.forget(path);
  }

  #reader(path: string, file: OpenFile): BlobReader {
    let isOpen = true;
    return {
      size: file.size,
      async read(target, position) {
        try {
          const { bytesRead } = await file.handle.read(target, 0, target.length, position);
          return bytesRead;
        } catch (cause) {
          throw fileError('read', path, cause);
        }
      },
      async close() {
        if (!isOpen) return;
        isOpen = false;
        file.users -= 1;
        if (file.isForgotten) retire(file);
      },
    };
  }

  #closeIdle(): void {
    if (this.#files.size <= this.#idleMax) return;
    const oldest = this.#files.keys().next().value;
    if (oldest !== undefined) this.forget(oldest);
  }
}

async function openFile(path: string): Promise<OpenFile> {
  const handle = await open(path, 'r');
  try {
    const { size, ino: inode } = await handle.stat();
    return { handle, size, inode, users: 0, isForgotten: false };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Closes the file when its last reader has gone. `close` of a handle waits for reads under way. */
function retire(file: OpenFile): void {
  file.isForgotten = true;
  if (file.users === 0) void file.handle.close().catch(() => undefined);
}
