import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppProcess, cleanEnvironment, projectRoot, startMaxMs } from './app-process.js';
import { realmOf, startApp } from './cluster.js';
import { isCluster } from './mode.js';

export { cleanEnvironment, projectRoot };

export interface ServerOptions {
  /** A folder of the test's own; without one, a new one that `stop` removes. In a cluster, a name of the history. */
  readonly data?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A shell line that starts `"$@"` in another way: under a limit, from another folder. */
  readonly wrapper?: string;
  /** In a cluster, a notary too, whose key is in the folder; one process on files has an audit anyway. */
  readonly isAudited?: boolean;
}

/**
 * What answers at `url`: the built server as its own process, or in a cluster a gateway with the processes behind it.
 * Ended by pid; what was logged is shown when a test of it fails.
 */
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
  const remove = async () => {
    if (options.data === undefined) await rm(data, { recursive: true, force: true });
  };
  try {
    const processes = isCluster ? await startCluster(data, options) : [await startStandalone(data, options)];
    return serverOf(processes, data, remove);
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Starts it where it is expected to refuse: its exit code and what it said. */
export async function startAndFail(
  options: ServerOptions & { readonly data: string },
): Promise<{ code: number | null; output: string }> {
  const started = standalone(options.data, options);
  const giveUp = setTimeout(() => void started.end('SIGKILL'), startMaxMs);
  const code = await started.ended();
  clearTimeout(giveUp);
  return { code, output: started.output() };
}

function standalone(data: string, { env, wrapper }: ServerOptions): AppProcess {
  return new AppProcess({ app: 'standalone', env: { VARVE_DATA: data, ...env }, wrapper });
}

async function startStandalone(data: string, options: ServerOptions): Promise<AppProcess> {
  const started = standalone(data, options);
  await started.ready();
  return started;
}

/** The gateway first: it is what answers. */
async function startCluster(data: string, { env, isAudited = false }: ServerOptions): Promise<AppProcess[]> {
  const realm = await realmOf(data);
  const apps = ['gateway', 'projector', 'materializer'] as const;
  const started = await Promise.allSettled([
    ...apps.map((app) => startApp(app, realm, app === 'gateway' ? env : {})),
    ...(isAudited ? [startApp('notary', realm, { VARVE_DATA: data })] : []),
  ]);
  const processes = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = started.find((one) => one.status === 'rejected');
  if (!failed) return processes;
  await Promise.all(processes.map((one) => one.end('SIGKILL')));
  throw failed.reason;
}

function serverOf(processes: readonly AppProcess[], data: string, remove: () => Promise<void>): Server {
  const [front] = processes as [AppProcess];
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    // A gateway that finishes its work needs the projector for it.
    const code = await front.end(signal);
    await Promise.all(processes.slice(1).map((behind) => behind.end(signal)));
    await remove();
    return code;
  };
  return {
    url: front.url as string,
    data,
    pid: front.pid,
    output: () => processes.map((one) => one.output()).join(''),
    stop: () => end('SIGTERM'),
    kill: async () => {
      await Promise.all(processes.map((one) => one.end('SIGKILL')));
      await remove();
    },
  };
}
