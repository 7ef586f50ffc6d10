import { randomBytes } from 'node:crypto';
import { closeSync, fsync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { assert } from '#core/error';
import { errnoOf, fileError } from './file-error.js';

const syncFile = promisify(fsync);

/** What is smaller stays in memory until it is sealed: most layers of a build are, and a file is 16 calls. */
const memoryBytesMax = 64 << 10;
/** The kernel is asked to write back after this much, while more arrives, so that the last fsync is short. */
const writeBackBytes = 64 << 20;

/**
 * Bytes on their way to a file: in memory while they are few, then in a file with an unguessable name in the staging
 * folder. After an error of `write` or `settle` nothing of them is kept.
 */
export class Spool {
  readonly path: string;
  readonly #isDurable: boolean;
  readonly #onOver: () => void;
  #pieces: Buffer[] = [];
  #size = 0;
  #file: FileHandle | undefined;
  #writeBack: Promise<void> | undefined;
  #writtenBack = 0;
  #isOver = false;
  #isOnDisk = false;

  /** `onOver` is called when its file has another name or is gone: until then the file belongs to someone. */
  constructor(folder: string, { isDurable, onOver }: { isDurable: boolean; onOver: () => void }) {
    this.path = join(folder, randomBytes(16).toString('hex'));
    this.#isDurable = isDurable;
    this.#onOver = onOver;
  }

  /** The caller may reuse `bytes` when this returns. @throws STORAGE_FULL, UNAVAILABLE */
  async write(bytes: Uint8Array): Promise<void> {
    assert(!this.#isOver, 'bytes are written before they are sealed or discarded');
    if (!this.#file && this.#size + bytes.length <= memoryBytesMax) {
      this.#pieces.push(Buffer.from(bytes));
      this.#size += bytes.length;
      return;
    }
    try {
      this.#file ??= await this.#spill();
      await writeAll(this.#file, bytes);
      this.#size += bytes.length;
      if (this.#isDurable && this.#size - this.#writtenBack >= writeBackBytes) await this.#startWriteBack(this.#file);
    } catch (cause) {
      await this.discard().catch(() => undefined);
      throw fileError('write', this.path, cause);
    }
  }

  /** What was written so far. @throws UNAVAILABLE */
  async read(): Promise<Uint8Array> {
    if (!this.#file) return Buffer.concat(this.#pieces);
    try {
      return await readFile(this.path);
    } catch (cause) {
      throw fileError('read', this.path, cause);
    }
  }

  /** Ends the bytes in a closed file at `path`, fsynced if they are to be durable. @throws STORAGE_FULL, UNAVAILABLE */
  async settle(isDurable = this.#isDurable): Promise<void> {
    assert(!this.#isOver, 'bytes are sealed once');
    try {
      if (this.#file) await this.#settleFile(this.#file, isDurable);
      else await this.#settleMemory(isDurable);
      this.#isOver = true;
    } catch (cause) {
      await this.discard().catch(() => undefined);
      throw fileError('write', this.path, cause);
    }
  }

  /** Gives the settled file its name. @throws the operating system's error, as it is: the file is still there */
  move(path: string): void {
    renameSync(this.path, path);
    this.#isOnDisk = false;
    this.#onOver();
  }

  /** Leaves nothing behind. No effect on a file that was moved. */
  async discard(): Promise<void> {
    this.#isOver = true;
    this.#pieces = [];
    await this.#writeBack?.catch(() => undefined);
    await this.#file?.close().catch(() => undefined);
    this.#file = undefined;
    try {
      if (this.#isOnDisk) removeFile(this.path);
      this.#isOnDisk = false;
    } finally {
      this.#onOver();
    }
  }

  async #spill(): Promise<FileHandle> {
    const file = await open(this.path, 'wx');
    this.#isOnDisk = true;
    this.#file = file;
    for (const piece of this.#pieces) await writeAll(file, piece);
    this.#pieces = [];
    return file;
  }

  /** At most one at a time; a failure must not be lost, for the kernel reports it once. */
  async #startWriteBack(file: FileHandle): Promise<void> {
    await this.#writeBack;
    this.#writtenBack = this.#size;
    this.#writeBack = file.datasync();
    this.#writeBack.catch(() => undefined);
  }

  async #settleFile(file: FileHandle, isDurable: boolean): Promise<void> {
    await this.#writeBack;
    if (isDurable) await file.sync();
    this.#file = undefined;
    await file.close();
  }

  /**
   * The calls that only touch the page cache are synchronous: through the thread pool each costs more of the
   * processor than it does, and a small commit has ten of them. Only the fsync waits for a disk.
   */
  async #settleMemory(isDurable: boolean): Promise<void> {
    const file = openSync(this.path, 'wx');
    this.#isOnDisk = true;
    try {
      const bytes = Buffer.concat(this.#pieces);
      for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done);
      if (isDurable) await syncFile(file);
    } finally {
      closeSync(file);
    }
    this.#pieces = [];
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, null);
    done += bytesWritten;
  }
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOENT') throw fileError('remove', path, cause);
  }
}
