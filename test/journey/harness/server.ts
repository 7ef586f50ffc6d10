import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export const projectRoot = new URL('../../..', import.meta.url).pathname.replace(/\/$/, '');
const serverMain = join(projectRoot, 'dist/apps/standalone/src/main.js');
const startMaxMs = 20_000;

export interface ServerOptions {
  /** A folder of the test's own; without one, a new one that `stop` removes. */
  readonly data?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A shell line that starts `"$@"` in another way: under a limit, from another folder. */
  readonly wrapper?: string;
}

/** The built server as its own process. Ended by its pid; what it logged is shown when a test of it fails. */
export interface Server {
  readonly url: string;
  readonly data: string;
  readonly pid: number;
  /** What it has written to both streams. */
  output(): string;
  /** SIGTERM, and its exit code; the data stays when the test named the folder. */
  stop(): Promise<number | null>;
  /** kill -9; returns when the kernel has taken it away. */
  kill(): Promise<void>;
}

/** Starts it on a free port of loopback and waits until it is ready. @throws with its output when it does not start */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const data = options.data ?? (await mkdtemp(join(tmpdir(), 'varve-journey-')));
  const started = spawnServer(data, options);
  try {
    return await readyServer(started, data, options.data === undefined);
  } catch (error) {
    started.child.kill('SIGKILL');
    if (options.data === undefined) await rm(data, { recursive: true, force: true });
    throw error;
  }
}

/** Starts it where it is expected to refuse: its exit code and what it said. */
export async function startAndFail(
  options: ServerOptions & { readonly data: string },
): Promise<{ code: number | null; output: string }> {
  const { child, output } = spawnServer(options.data, options);
  const giveUp = setTimeout(() => child.kill('SIGKILL'), startMaxMs);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(giveUp);
  return { code, output: output() };
}

/** The environment of this process without our own variables, so that a developer's settings do not leak into tests. */
export function cleanEnvironment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('VARVE_') && name !== 'NODE_OPTIONS');
  return { ...Object.fromEntries(kept), ...more };
}

interface Running {
  readonly child: ChildProcess;
  output(): string;
}

function spawnServer(data: string, { env, wrapper }: ServerOptions): Running {
  const command = [process.execPath, '--enable-source-maps', serverMain];
  const [file, ...args] = wrapper === undefined ? command : ['/bin/sh', '-c', wrapper, 'sh', ...command];
  const child = spawn(file as string, args, {
    env: cleanEnvironment({ VARVE_LISTEN: '127.0.0.1:0', VARVE_DATA: data, ...env }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { child, output: () => text };
}

async function readyServer({ child, output }: Running, data: string, ownsData: boolean): Promise<Server> {
  const deadline = Date.now() + startMaxMs;
  let url: string | undefined;
  while (url === undefined || !(await isReady(url))) {
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
      throw new Error(`the server did not start (exit ${child.exitCode ?? child.signalCode}):\n${output()}`);
    }
    await delay(20);
    url = /http:\/\/127\.0\.0\.1:\d+/.exec(output())?.[0];
  }
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    const isOver = child.exitCode !== null || child.signalCode !== null;
    const closed = isOver ? undefined : once(child, 'close');
    child.kill(signal);
    await closed;
    if (ownsData) await rm(data, { recursive: true, force: true });
    return child.exitCode;
  };
  return {
    url,
    data,
    output,
    pid: child.pid as number,
    stop: () => end('SIGTERM'),
    kill: async () => {
      await end('SIGKILL');
    },
  };
}

function isReady(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    get(`${url}/readyz`, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    }).on('error', () => resolve(false));
  });
}
