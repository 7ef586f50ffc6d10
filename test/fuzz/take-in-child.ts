import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What became of the bytes, and the most memory that the process which took them ever had. */
export interface Outcome {
  readonly code?: string;
  readonly message?: string;
  readonly detail?: {
    readonly rule?: string;
    readonly limit?: string;
    readonly entry?: number;
    readonly offset?: number;
  };
  readonly entries?: number;
  readonly peakBytes: number;
}

/** Sends bytes to the built product in a process of its own, as fast as it takes them. @throws when its store is not empty afterwards */
export async function takeInChild(kind: 'layer' | 'archive', bytes: Iterable<Buffer>): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'varve-memory-'));
  try {
    const outcome = await send(kind, bytes, folder);
    const left = await readdir(folder, { recursive: true, withFileTypes: true });
    const files = left.filter((entry) => entry.isFile()).map(({ name }) => name);
    if (files.length > 0) throw new Error(`what was refused left ${files.join(', ')}`);
    return outcome;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function send(kind: 'layer' | 'archive', bytes: Iterable<Buffer>, folder: string): Promise<Outcome> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'receive-stdin.mjs'), kind, folder]);
  let out = '';
  let err = '';
  child.stdout.on('data', (text: Buffer) => (out += text.toString()));
  child.stderr.on('data', (text: Buffer) => (err += text.toString()));
  let isOver = false;
  const over = Promise.race([once(child, 'close'), broken(child.stdin)]).then(() => (isOver = true));
  const closed = once(child, 'close');
  for (const piece of bytes) {
    if (isOver) break;
    if (!child.stdin.write(piece)) await Promise.race([once(child.stdin, 'drain').catch(() => undefined), over]);
  }
  child.stdin.end();
  await closed;
  if (out === '') throw new Error(`it said nothing: ${err}`);
  return JSON.parse(out) as Outcome;
}

/** It stops reading when it refuses, and then the pipe breaks. */
function broken(pipe: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve) => pipe.on('error', () => resolve()));
}
