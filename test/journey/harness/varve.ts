import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { cleanEnvironment, projectRoot } from './server.js';

export const varveCommand = join(projectRoot, 'bin/varve');

/** A command that hangs fails its own test, and not the whole run. */
const commandMaxMs = 40_000;

export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: Buffer;
}

export interface RunOptions {
  readonly input?: Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** The command as a user types it, against one server: `await varve('log', '--oneline')`. */
export type Varve = ((...args: string[]) => Promise<Ran>) & {
  /** With input, another environment or another folder. */
  with(options: RunOptions, ...args: string[]): Promise<Ran>;
  /** Must succeed; the answer as JSON. */
  json<T>(...args: string[]): Promise<T>;
  /** Must succeed; the answer as lines of JSON. */
  lines<T>(...args: string[]): Promise<T[]>;
  start(options: RunOptions, ...args: string[]): ChildProcessWithoutNullStreams;
};

export function varveAt(url: string): Varve {
  const start = ({ env, cwd }: RunOptions, ...args: string[]): ChildProcessWithoutNullStreams =>
    spawn(varveCommand, args, { cwd, env: cleanEnvironment({ VARVE_SERVER: url, VARVE_ACTOR: 'ci@journey', ...env }) });
  const runWith = async (options: RunOptions, ...args: string[]): Promise<Ran> =>
    finished(start(options, ...args), options.input);
  const succeed = async (args: string[]): Promise<Ran> => {
    const ran = await runWith({}, ...args, '--json');
    if (ran.code !== 0) throw new Error(`varve ${args.join(' ')} ended with ${ran.code}: ${ran.stderr}`);
    return ran;
  };
  return Object.assign((...args: string[]) => runWith({}, ...args), {
    start,
    with: runWith,
    json: async <T>(...args: string[]) => JSON.parse((await succeed(args)).stdout) as T,
    lines: async <T>(...args: string[]) =>
      (await succeed(args)).stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as T),
  });
}

/** Waits for a command to end. */
export async function finished(child: ChildProcessWithoutNullStreams, input?: Uint8Array): Promise<Ran> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  // A command that refuses its input early closes the pipe under us.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const giveUp = setTimeout(() => child.kill('SIGKILL'), commandMaxMs);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  clearTimeout(giveUp);
  const bytes = Buffer.concat(out);
  return { code, signal, bytes, stdout: bytes.toString(), stderr: Buffer.concat(err).toString() };
}
