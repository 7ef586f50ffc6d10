import { readFile } from 'node:fs/promises';
import { openCheckpoint } from '#audit/checkpoint';
import { type NoteVerifier, parseVerifier } from '#audit/note';
import { limit } from '#core/limit';
import { VarveError } from '#core/error';
import { fileError } from './file-error.js';
import type { SeenCheckpoint } from './seen-checkpoints.js';

/** A public key that is given as itself or as the name of a file with it. @throws REQUEST_INVALID */
export async function readVerifier(key: string): Promise<NoteVerifier> {
  const isKey = /^[^\s+]+\+[0-9a-f]{8}\+/.test(key);
  return parseVerifier(isKey ? key : await readInput(key));
}

/** A signed checkpoint from a file. @throws PROOF_INVALID */
export async function openKnown(path: string, verifier: NoteVerifier): Promise<SeenCheckpoint> {
  const note = await readInput(path);
  return { note, checkpoint: openCheckpoint(note, verifier) };
}

/** A small file, or standard input. @throws REQUEST_INVALID, LIMIT_EXCEEDED */
export async function readInput(path: string): Promise<string> {
  const bytes = path === '-' ? await standardInput() : await readFile(path).catch((cause: unknown) => { throw fileError(path, 'read', cause); }); // prettier-ignore
  if (bytes.length <= limit.proofBytesMax) return bytes.toString('utf8');
  throw new VarveError('LIMIT_EXCEEDED', `${path} has ${bytes.length} bytes; at most ${limit.proofBytesMax} are read`);
}

async function standardInput(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size > limit.proofBytesMax) break;
  }
  return Buffer.concat(chunks);
}
