import { randomBytes } from 'node:crypto';
import { opendir, realpath, rename, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { VarveError } from '#core/error';
import { fileError } from '../file-error.js';
import { HeldDirectory } from './held-directory.js';

/** A directory that is filled beside its place and appears there whole, or not at all. */
export interface StagedDirectory {
  /** Leads to it also when someone has moved it away. */
  readonly path: string;
  /** An empty directory beside it, on the same file system. */
  readonly scratch: string;
  /** Puts it in place. @throws REQUEST_INVALID when someone moved it meanwhile */
  publish(): Promise<void>;
  discard(): Promise<void>;
}

/** @throws REQUEST_INVALID when `directory` is something else than absent or an empty directory */
export async function stageDirectory(directory: string): Promise<StagedDirectory> {
  const target = await placeOf(directory);
  const beside = join(dirname(target), `.${basename(target).slice(0, 200)}.varve-${randomBytes(6).toString('hex')}`);
  const held = await HeldDirectory.make(beside);
  const scratch = await HeldDirectory.make(`${beside}.special`).catch(async (error: unknown) => {
    await held.remove();
    throw error;
  });
  return {
    path: held.path,
    scratch: scratch.path,
    async publish() {
      await scratch.remove();
      if (!(await held.isInPlace())) throw movedAway(directory);
      await rename(beside, target).catch((cause: unknown) => {
        throw fileError(directory, 'put the extracted tree at', cause);
      });
      await held.close();
    },
    async discard() {
      await scratch.remove().catch(() => undefined);
      await held.remove().catch(() => undefined);
    },
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

function movedAway(directory: string): VarveError {
  const message = `${directory} is not made: while it was extracted, someone moved its files away or put others there`;
  return new VarveError('REQUEST_INVALID', message, { directory });
}
