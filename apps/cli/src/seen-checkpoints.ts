import { hash, randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Checkpoint, openCheckpoint } from '#audit/checkpoint';
import type { NoteVerifier } from '#audit/note';
import { fileError } from './file-error.js';

/** A checkpoint and the signed note of it. */
export interface SeenCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly note: string;
}

/** Of each log; the newest and, of older ones, as many as fit. Each continues the one before it: that was checked. */
const keptMax = 1_000;

/**
 * What this user's machine has seen signed, in `$XDG_STATE_HOME/varve/checkpoints`, one file a log and partition. So a
 * server that tells this machine one history and then another contradicts itself here.
 */
export async function seenCheckpoints(origin: string, verifier: NoteVerifier): Promise<readonly SeenCheckpoint[]> {
  const notes = await readNotes(fileOf(origin));
  return notes.flatMap((note) => {
    try {
      const checkpoint = openCheckpoint(note, verifier);
      return checkpoint.origin === origin ? [{ checkpoint, note }] : [];
    } catch {
      // Of a key that this log had before, or damaged: it binds nobody who asks about this key.
      return [];
    }
  });
}

/** Keeps a note that continues all that were seen. Whole or not at all, whoever else writes. */
export async function rememberCheckpoint(origin: string, note: string): Promise<void> {
  const path = fileOf(origin);
  const notes = await readNotes(path);
  if (notes.includes(note)) return;
  const part = `${path}.${randomBytes(6).toString('hex')}.part`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(part, JSON.stringify([...notes, note].slice(-keptMax), null, 1));
    await rename(part, path);
  } catch (cause) {
    throw fileError(path, 'write', cause);
  }
}

async function readNotes(path: string): Promise<readonly string[]> {
  try {
    const notes: unknown = JSON.parse(await readFile(path, 'utf8'));
    return Array.isArray(notes) ? notes.map(String) : [];
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw fileError(path, 'read', cause);
  }
}

function fileOf(origin: string): string {
  const state = process.env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state');
  return join(state, 'varve', 'checkpoints', `${hash('sha256', origin).slice(0, 32)}.json`);
}
