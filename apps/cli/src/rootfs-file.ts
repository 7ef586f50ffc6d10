import { randomBytes } from 'node:crypto';
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { VarveError } from '#core/error';
import { fileError } from './file-error.js';

/** Chunks from the network are gathered to about this size: one system call instead of sixteen. */
const writeBytes = 1 << 20;
/** The disk starts to take what is written when this much waits for it, so that little is left for the flush at the end. */
const flushBytes = 32 << 20;

/** Bytes of a file from `from` on. */
export interface FilePiece {
  readonly from: number;
  chunks(): AsyncIterable<Uint8Array>;
}

/**
 * Writes pieces side by side to `path`, whole or not at all: to a new file beside it, flushed to the disk, then put in
 * its place (also in place of an older one). A path that is no regular file (`/dev/null`, a pipe) is written straight,
 * which takes a single piece. Takes the chunks for itself: their memory is given back as they are written.
 * `stop` is called when a piece fails, so that the others end. Returns the bytes written.
 * @throws REQUEST_INVALID, STORAGE_FULL, and whatever a piece throws; nothing is left then
 */
export async function writeWholeFile(path: string, pieces: readonly FilePiece[], stop: () => void): Promise<number> {
  const target = await placeOf(path);
  if (target.isSpecial) return writeStraight(target.path, pieces);
  const part = join(
    dirname(target.path),
    `.${basename(target.path).slice(0, 200)}.${randomBytes(6).toString('hex')}.part`,
  );
  const file = await open(part, 'wx', 0o666).catch((cause: unknown) => {
    throw fileError(path, 'write', cause);
  });
  const flushing = new Flushing(file);
  try {
    const bytes = await writeSideBySide(
      pieces,
      (piece) => writeAll(file, path, piece, (count) => flushing.add(count)),
      stop,
    );
    await flushing.end();
    await file.close();
    await rename(part, target.path);
    return bytes;
  } catch (error) {
    await flushing.end().catch(() => undefined);
    await file.close().catch(() => undefined);
    await rm(part, { force: true });
    throw error instanceof VarveError || !isSystemError(error) ? error : fileError(path, 'write', error);
  }
}

/** Ends when all have ended, with the first failure: no piece may write to a file that is closed. */
async function writeSideBySide(
  pieces: readonly FilePiece[],
  writePiece: (piece: FilePiece) => Promise<number>,
  stop: () => void,
): Promise<number> {
  let failure: { readonly error: unknown } | undefined;
  const fail = (error: unknown): number => {
    failure ??= { error };
    stop();
    return 0;
  };
  const written = await Promise.all(pieces.map((piece) => writePiece(piece).catch(fail)));
  if (failure) throw failure.error;
  return written.reduce((sum, bytes) => sum + bytes, 0);
}

async function writeStraight(path: string, pieces: readonly FilePiece[]): Promise<number> {
  const [whole, second] = pieces;
  if (!whole || second) {
    throw new VarveError('REQUEST_INVALID', `${path} is no regular file: it cannot be written in pieces`, { path });
  }
  const file = await open(path, 'w').catch((cause: unknown) => {
    throw fileError(path, 'write', cause);
  });
  try {
    return await writeAll(file, path, { from: null, chunks: () => whole.chunks() }, () => undefined);
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
  { from, chunks }: Omit<FilePiece, 'from'> & { readonly from: number | null },
  onWritten: (bytes: number) => void,
): Promise<number> {
  let at = from;
  let sumBytes = 0;
  let gathered: Uint8Array[] = [];
  let gatheredBytes = 0;
  let writing: Promise<unknown> = Promise.resolve();
  const flush = async (): Promise<void> => {
    await writing;
    const bytes = gatheredBytes;
    writing = write(file, gathered, { path, bytes, at }).then(() => onWritten(bytes));
    if (at !== null) at += bytes;
    sumBytes += bytes;
    // Its failure is met by whoever waits for it next; until then it must not count as unhandled.
    writing.catch(() => undefined);
    gathered = [];
    gatheredBytes = 0;
  };
  for await (const chunk of chunks()) {
    gathered.push(chunk);
    gatheredBytes += chunk.length;
    if (gatheredBytes >= writeBytes) await flush();
  }
  await flush();
  await writing;
  return sumBytes;
}

/** `at` null: where the last write ended, as a pipe has it. */
async function write(
  file: FileHandle,
  pieces: Uint8Array[],
  { path, bytes, at }: { readonly path: string; readonly bytes: number; readonly at: number | null },
): Promise<void> {
  if (bytes === 0) return;
  try {
    let { bytesWritten } = await file.writev(pieces, at ?? undefined);
    if (bytesWritten < bytes) {
      const whole = Buffer.concat(pieces);
      while (bytesWritten < bytes) {
        const position = at === null ? null : at + bytesWritten;
        bytesWritten += (await file.write(whole, bytesWritten, bytes - bytesWritten, position)).bytesWritten;
      }
    }
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
