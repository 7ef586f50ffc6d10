import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../journey/harness/server.js';

const installLine = 'scripts/clients/install.sh';

/** Runs a tool to its end and gives what it printed. @throws with the line that installs it when it is not there */
export function tool(name: string, ...args: readonly string[]): string {
  try {
    return execFileSync(name, args, { stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64 << 20 }).toString();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new Error(`${name} is not installed: run ${installLine}`, { cause });
    }
    const { stderr } = cause as { stderr?: Buffer };
    throw new Error(`${name} ${args.join(' ')} failed: ${stderr?.toString() ?? ''}`, { cause });
  }
}

export const script = (name: string): string => join(projectRoot, 'scripts', name);

/** One line for each path of a folder or a tar, all but the root's: what two trees have in common or not. */
export function listing(path: string): string {
  return tool('python3', script('oracle/tree-list.py'), '--no-root', path);
}

/** The listing of the files that umoci makes of an image in an OCI layout. */
export function unpackedListing(image: string, bundle: string): string {
  tool('umoci', 'unpack', '--image', image, bundle);
  return listing(join(bundle, 'rootfs'));
}

/** podman and buildah with a storage of their own, far from the user's. */
export function withStorage(name: 'podman' | 'buildah', folder: string): (...args: readonly string[]) => string {
  const more = name === 'podman' ? ['--tmpdir', join(folder, 'tmp'), '--events-backend', 'file', '--cgroup-manager', 'cgroupfs'] : []; // prettier-ignore
  mkdirSync(join(folder, 'tmp'), { recursive: true });
  const storage = [
    '--root',
    join(folder, 'root'),
    '--runroot',
    join(folder, 'run'),
    '--storage-driver',
    'vfs',
    ...more,
  ];
  return (...args) => tool(name, ...storage, ...args);
}

/** Starts a daemon of `scripts/clients` in a folder of its own. Call what it gives to stop it. */
export function startDaemon(upScript: 'docker-up.sh' | 'containerd-up.sh', folder: string, ...args: readonly string[]) {
  const path = script(`clients/${upScript}`);
  // The daemon inherits its streams: a pipe would keep us waiting for its end.
  execFileSync('bash', [path, folder, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  return () => execFileSync('bash', [path, folder, 'stop'], { stdio: 'ignore' });
}
