import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';

/** A program that shows long text page by page, and where the text goes. */
export interface Pager {
  readonly input: Writable;
  /** No more text; returns when the reader is done with it. */
  end(): Promise<void>;
}

/** The shell line of the pager that somebody wants; null for none. `cat` and nothing at all are none. */
export function pagerLine({ PAGER: wanted }: NodeJS.ProcessEnv): string | null {
  if (wanted === undefined) return 'less -FRX';
  return wanted.trim() === '' || wanted.trim() === 'cat' ? null : wanted;
}

/** Starts it on this terminal. Null when there is none or it does not start: then the text goes where it would have gone. */
export async function startPager(env: NodeJS.ProcessEnv): Promise<Pager | null> {
  const line = pagerLine(env);
  if (line === null || !(await isThere(line))) return null;
  const child = spawn('/bin/sh', ['-c', line], { stdio: ['pipe', 'inherit', 'inherit'], env });
  const { stdin } = child;
  if (stdin === null) return null;
  // A reader that leaves is seen by the write it breaks.
  stdin.on('error', () => undefined);
  return { input: stdin, end: () => ended(child, stdin) };
}

async function isThere(line: string): Promise<boolean> {
  const program = line.trim().split(/\s+/, 1)[0] ?? '';
  const test = spawn('/bin/sh', ['-c', 'command -v -- "$1" >/dev/null 2>&1', 'sh', program], { stdio: 'ignore' });
  const [code] = (await once(test, 'close')) as [number | null];
  return code === 0;
}

async function ended(child: ChildProcess, stdin: Writable): Promise<void> {
  stdin.end();
  if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
}
