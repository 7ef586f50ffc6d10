import { randomBytes } from 'node:crypto';
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { VarveError } from '#core/error';
import { fileError } from './file-error.js';

/** Chunks from the network are gathered to about this size: one system call instead of sixteen. */
const writeBytes = 1 << 20;
/** The disk starts to take what is written when this much waits for it, so that little is left for the flush at the end. */
const flushBytes = 32 << 20;

/**
 * Writes a stream to `path`, whole or not at all: to a new file beside it, flushed to the disk, then put in its place
 * (also in place of an older one). A path that is no regular file (`/dev/null`, a pipe) is written straight. Takes the
 * chunks for itself: their memory is given back as they are written.
 * @throws REQUEST_INVALID, STORAGE_FULL, and whatever `chunks` throws; nothing is left then
 */
export async function writeWholeFile(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const target = await placeOf(path);
  if (target.isSpecial) return writeStraight(target.path, chunks);
  const part = join(
    dirname(target.path),
    `.${basename(target.path).slice(0, 200)}.${randomBytes(6).toString('hex')}.part`,
  );
  const file = await open(part, 'wx', 0o666).catch((cause: unknown) => {
    throw fileError(path, 'write', cause);
  });
  const flushing = new Flushing(file);
  try {
    await writeAll(file, path, chunks, (bytes) => flushing.add(bytes));
    await flushing.end();
    await file.close();
    await rename(part, target.path);
  } catch (error) {
    await flushing.end().catch(() => undefined);
    await file.close().catch(() => undefined);
    await rm(part, { force: true });
    throw error instanceof VarveError || !isSystemError(error) ? error : fileError(path, 'write', error);
  }
}

async function writeStraight(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'w').catch((cause: unknown) => {
    throw fileError(path, 'write', cause);
  });
  try {
    await writeAll(file, path, chunks, () => undefined);
  } finally {
    await file.close();
  }
}

/** Flushes a file while it is written, one flush at a time, and wholly at the end. */
class Flushing {
  readonly #file: FileHandle;
  #waitingBytes = 0;
  #underway: Promise<void> | undefined;
  #failure: unknown;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  add(bytes: number): void {
    this.#waitingBytes += bytes;
    if (this.#waitingBytes < flushBytes || this.#underway) return;
    this.#waitingBytes = 0;
    this.#underway = this.#file
      .datasync()
      // The system tells a write that failed only once, and maybe here.
      .catch((error: unknown) => void (this.#failure ??= error))
      .finally(() => (this.#underway = undefined));
  }

  async end(): Promise<void> {
    await this.#underway;
    if (this.#failure !== undefined) throw this.#failure;
    await this.#file.sync();
  }
}

/** Reads on while the last piece is written. */
async function writeAll(
  file: FileHandle,
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  onWritten: (bytes: number) => void,
): Promise<void> {
  let gathered: Uint8Array[] = [];
  let gatheredBytes = 0;
  let writing: Promise<unknown> = Promise.resolve();
  const flush = async (): Promise<void> => {
    await writing;
    const bytes = gatheredBytes;
    writing = write(file, gathered, bytes, path).then(() => onWritten(bytes));
    // Its failure is met by whoever waits for it next; until then it must not count as unhandled.
    writing.catch(() => undefined);
    gathered = [];
    gatheredBytes = 0;
  };
  for await (const chunk of chunks) {
    gathered.push(chunk);
    gatheredBytes += chunk.length;
    if (gatheredBytes >= writeBytes) await flush();
  }
  await flush();
  await writing;
}

async function write(file: FileHandle, pieces: Uint8Array[], sizeBytes: number, path: string): Promise<void> {
  if (sizeBytes === 0) return;
  try {
    const { bytesWritten } = await file.writev(pieces);
    if (bytesWritten < sizeBytes) await file.writeFile(Buffer.concat(pieces).subarray(bytesWritten));
    pieces.forEach(free);
  } catch (cause) {
    throw fileError(path, 'write', cause);
  }
}

/** Left to the garbage collector, the chunks of a large checkout keep it busy for a seventh of the time. */
function free({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

/** Where the bytes go in the end: behind symlinks, as a shell's `>` would. */
async function placeOf(path: string): Promise<{ path: string; isSpecial: boolean }> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw fileError(path, 'write', cause);
  });
  if (!found) return { path: resolve(path), isSpecial: false };
  if (found.isDirectory()) {
    throw new VarveError('REQUEST_INVALID', `${path} is a directory: -o wants a file, --dir a new directory`, { path });
  }
  return { path: await realpath(path), isSpecial: !found.isFile() };
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
