import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { newSignerText, type NoteSigner, parseSigner } from '#audit/note';
import { VarveError } from '#core/error';

/**
 * The key that signs checkpoints, made when there is none: readable by its owner alone, and on the disk before anything
 * is signed with it. @throws CONFIG_INVALID when the file is no key, or cannot be read or made
 */
export async function readOrMakeKey(path: string, name: string): Promise<NoteSigner> {
  try {
    return parseSigner((await existing(path)) ?? (await made(path, name)));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new VarveError('CONFIG_INVALID', `VARVE_AUDIT_KEY="${path}": ${reason}`, { path }, { cause });
  }
}

async function existing(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function made(path: string, name: string): Promise<string> {
  const text = newSignerText(name);
  await mkdir(dirname(path), { recursive: true });
  await using file = await open(path, 'wx', 0o600);
  await file.writeFile(text);
  await file.sync();
  return text;
}
