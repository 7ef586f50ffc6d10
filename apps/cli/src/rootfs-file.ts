import { randomBytes } from 'node:crypto';
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { VarveError } from '#core/error';
import { fileError } from './file-error.js';

/** Chunks from the network are gathered to about this size: one system call instead of sixteen. */
const writeBytes = 1 << 20;

/**
 * Writes a stream to `path`, whole or not at all: to a new file beside it, flushed to the disk, then put in its place
 * (also in place of an older one). A path that is no regular file (`/dev/null`, a pipe) is written straight.
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
  try {
    await writeAll(file, path, chunks);
    await file.sync();
    await file.close();
    await rename(part, target.path);
  } catch (error) {
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
    await writeAll(file, path, chunks);
  } finally {
    await file.close();
  }
}

/** Reads on while the last piece is written. */
async function writeAll(file: FileHandle, path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  let gathered: Uint8Array[] = [];
  let gatheredBytes = 0;
  let writing: Promise<unknown> = Promise.resolve();
  const flush = async (): Promise<void> => {
    await writing;
    writing = write(file, gathered, gatheredBytes, path);
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
  } catch (cause) {
    throw fileError(path, 'write', cause);
  }
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
