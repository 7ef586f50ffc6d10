import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const startMsMax = 20_000;

/** The server as users run it, as a process of its own, from the build. */
export interface Server {
  readonly url: string;
  /** Bytes of memory: now, and the most there ever was. */
  memory(): { readonly rssBytes: number; readonly peakBytes: number };
  /** Processor time it has taken, in milliseconds, in steps of 10. */
  cpuMs(): number;
  stop(): Promise<void>;
}

export function startServer(data: string): Promise<Server> {
  return startApp('standalone', { VARVE_DATA: data });
}

/** One of our processes with these settings, as `bin/varve` starts it; it answers when this returns. */
export async function startApp(
  app: 'standalone' | 'gateway' | 'projector',
  env: Readonly<Record<string, string>>,
): Promise<Server> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const child = spawn(process.execPath, ['--max-semi-space-size=8', join(root, `dist/apps/${app}/src/main.js`)], {
    env: {
      PATH: process.env['PATH'],
      MALLOC_MMAP_THRESHOLD_: '2097152',
      VARVE_LISTEN: url.slice('http://'.length),
      VARVE_GRPC_LISTEN: 'off',
      VARVE_LOG_LEVEL: 'error',
      ...env,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await answering(url, child);
  return {
    url,
    memory: () => memoryOf(child.pid!),
    cpuMs: () => cpuOf(child.pid!),
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
      }),
  };
}

/** Runs a server while the work lasts. */
export async function withServer<T>(data: string, work: (server: Server) => Promise<T>): Promise<T> {
  const server = await startServer(data);
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

/** The command as users call it. */
export const varve = join(root, 'bin', 'varve');

async function answering(url: string, child: ChildProcess): Promise<void> {
  for (const end = performance.now() + startMsMax; performance.now() < end;) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}: run "npm run build" first`);
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.kill('SIGKILL');
  throw new Error(`the server at ${url} does not answer after ${startMsMax / 1000} s`);
}

function memoryOf(pid: number): { rssBytes: number; peakBytes: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bytes = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024;
  return { rssBytes: bytes('VmRSS'), peakBytes: bytes('VmHWM') };
}

/** User and system time, which Linux counts in hundredths of a second. @see proc_pid_stat(5) */
function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
