import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export const projectRoot = new URL('../../..', import.meta.url).pathname.replace(/\/$/, '');
/** Of the build that is tested: a run starts a hundred servers, and a tenth of that is compiling. */
const compileCache = join(projectRoot, 'dist/.compile-cache');
/** A watchdog: one that ends before is noticed at once, and a busy machine may take its time. */
export const startMaxMs = 90_000;

export type AppName = 'standalone' | 'gateway' | 'projector' | 'materializer' | 'notary';

export interface AppOptions {
  readonly app: AppName;
  /** Its VARVE_* settings; it listens on a free port of loopback unless they say otherwise. */
  readonly env: Readonly<Record<string, string>>;
  /** A shell line that starts `"$@"` in another way: under a limit, from another folder. */
  readonly wrapper?: string | undefined;
}

/** A built process of ours. Ended by its pid; what it logged is shown when a test of it fails. */
export class AppProcess {
  readonly app: AppName;
  readonly #child: ChildProcess;
  #output = '';

  constructor({ app, env, wrapper }: AppOptions) {
    this.app = app;
    const command = [
      process.execPath,
      '--max-semi-space-size=8',
      '--enable-source-maps',
      join(projectRoot, `dist/apps/${app}/src/main.js`),
    ];
    const [file, ...args] = wrapper === undefined ? command : ['/bin/sh', '-c', wrapper, 'sh', ...command];
    this.#child = spawn(file as string, args, {
      // What is stored goes when a test says so.
      env: cleanEnvironment({
        VARVE_LISTEN: '127.0.0.1:0',
        VARVE_GC_HOURS: '0',
        NODE_COMPILE_CACHE: compileCache,
        ...env,
      }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Where it listens; undefined until it says so. */
  get url(): string | undefined {
    return /http:\/\/127\.0\.0\.1:\d+/.exec(this.#output)?.[0];
  }

  get isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** What it has written to both streams. */
  output(): string {
    return this.#output;
  }

  /** When `/readyz` says so. @throws with its output when it ends before, or takes too long; it is killed then */
  async ready(maxMs = startMaxMs): Promise<string> {
    const deadline = Date.now() + maxMs;
    for (;;) {
      const { url } = this;
      if (url !== undefined && (await isReady(url))) return url;
      if (this.isOver || Date.now() > deadline) {
        const { exitCode, signalCode } = this.#child;
        await this.end('SIGKILL');
        throw new Error(`the ${this.app} did not start (exit ${exitCode ?? signalCode}):\n${this.#output}`);
      }
      await delay(20);
    }
  }

  /** Its exit code, when it has ended by itself. */
  async ended(): Promise<number | null> {
    if (!this.isOver) await once(this.#child, 'close');
    return this.#child.exitCode;
  }

  /** Sends the signal and returns its exit code when the kernel has taken it away. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const closed = this.isOver ? undefined : once(this.#child, 'close');
    this.#child.kill(signal);
    await closed;
    return this.#child.exitCode;
  }
}

/** The environment of this process without our own variables, so that a developer's settings do not leak into tests. */
export function cleanEnvironment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('VARVE_') && name !== 'NODE_OPTIONS');
  return { ...Object.fromEntries(kept), ...more };
}

function isReady(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    get(`${url}/readyz`, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    }).on('error', () => resolve(false));
  });
}
