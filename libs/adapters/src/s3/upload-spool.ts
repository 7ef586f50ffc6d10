import { randomBytes } from 'node:crypto';
import { unlinkSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { assert, VarveError } from '#core/error';

/** What is smaller stays in memory: most layers of a build are. */
const memoryBytesMax = 256 << 10;

/**
 * Bytes that wait until it is known what they are: in memory while they are few, then in a local file that has no name
 * any more, so that a killed process leaves nothing of it.
 */
export class UploadSpool {
  readonly name = randomBytes(16).toString('hex');
  readonly #folder: string;
  #pieces: Buffer[] = [];
  #file: FileHandle | undefined;
  #size = 0;
  modifiedAt = Date.now();

  constructor(folder: string) {
    this.#folder = folder;
  }

  get size(): number {
    return this.#size;
  }

  /** The caller may reuse `bytes` when this returns. @throws STORAGE_FULL, UNAVAILABLE */
  async write(bytes: Uint8Array): Promise<void> {
    this.modifiedAt = Date.now();
    if (!this.#file && this.#size + bytes.length <= memoryBytesMax) {
      this.#pieces.push(Buffer.from(bytes));
      this.#size += bytes.length;
      return;
    }
    try {
      this.#file ??= await this.#spill();
      await writeAll(this.#file, bytes, this.#size);
      this.#size += bytes.length;
    } catch (cause) {
      throw spoolError(this.#folder, cause);
    }
  }

  /** All of it. @throws UNAVAILABLE */
  async read(): Promise<Buffer> {
    if (!this.#file) return Buffer.concat(this.#pieces);
    const target = Buffer.allocUnsafeSlow(this.#size);
    await this.readInto(target, 0);
    return target;
  }

  /** Fills the target from `position`, of bytes that are in the file. @throws UNAVAILABLE */
  async readInto(target: Buffer, position: number): Promise<void> {
    assert(this.#file, 'few bytes are read all at once');
    try {
      for (let done = 0; done < target.length;) {
        const { bytesRead } = await this.#file.read(target, done, target.length - done, position + done);
        if (bytesRead === 0) throw new Error(`it ends after ${position + done} of ${this.#size} bytes`);
        done += bytesRead;
      }
    } catch (cause) {
      throw spoolError(this.#folder, cause);
    }
  }

  /** Leaves nothing behind; may be called again. */
  async discard(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#pieces = [];
    await file?.close().catch(() => undefined);
  }

  async #spill(): Promise<FileHandle> {
    const path = join(this.#folder, `varve-${this.name}`);
    const file = await open(path, 'wx+');
    unlinkSync(path);
    let at = 0;
    for (const piece of this.#pieces) {
      await writeAll(file, piece, at);
      at += piece.length;
    }
    this.#pieces = [];
    return file;
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}

function spoolError(folder: string, cause: unknown): VarveError {
  const errno = (cause as NodeJS.ErrnoException).code ?? String(cause);
  const isFull = ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(errno);
  return new VarveError(
    isFull ? 'STORAGE_FULL' : 'UNAVAILABLE',
    `cannot keep what is being received in ${folder} (${errno})`,
    { folder, errno },
    { cause },
  );
}
