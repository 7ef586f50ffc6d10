import { randomBytes } from 'node:crypto';
import { mkdir, opendir, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { VarveError } from '#core/error';
import { fileError } from '../file-error.js';

/** A directory that is filled beside its place and appears there whole, or not at all. */
export interface StagedDirectory {
  /** Absolute. Nobody but us may enter it, so nobody can plant links in it while it is filled. */
  readonly path: string;
  /** Puts it in place. */
  publish(): Promise<void>;
  discard(): Promise<void>;
}

/** @throws REQUEST_INVALID when `directory` is something else than absent or an empty directory */
export async function stageDirectory(directory: string): Promise<StagedDirectory> {
  const target = await placeOf(directory);
  const path = join(dirname(target), `.${basename(target).slice(0, 200)}.varve-${randomBytes(6).toString('hex')}`);
  await mkdir(path, { mode: 0o700 }).catch((cause: unknown) => {
    throw fileError(path, 'make', cause);
  });
  return {
    path,
    publish: () =>
      rename(path, target).catch((cause: unknown) => {
        throw fileError(directory, 'put the extracted tree at', cause);
      }),
    discard: () => rm(path, { recursive: true, force: true }),
  };
}

async function placeOf(directory: string): Promise<string> {
  const found = await stat(directory).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw fileError(directory, 'look at', cause);
  });
  if (!found) {
    const parent = dirname(resolve(directory));
    const real = await realpath(parent).catch((cause: unknown) => {
      throw fileError(parent, 'enter', cause);
    });
    return join(real, basename(resolve(directory)));
  }
  if (!found.isDirectory()) throw refused(directory, 'is not a directory');
  for await (const entry of await opendir(directory)) throw refused(directory, `is not empty (it has ${entry.name})`);
  return realpath(directory);
}

function refused(directory: string, why: string): VarveError {
  return new VarveError('REQUEST_INVALID', `${directory} ${why}: --dir wants a new or an empty directory`, {
    directory,
  });
}
