import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import type { TarEntry } from '#tar/read-tar';

let made = 0;

/**
 * Makes a device or fifo under a plain name in `scratch` with the system's own mknod and mkfifo (Node has neither), and
 * returns its path; undefined when this user or machine may not. The caller links it to its real name, which may hold
 * bytes no argument can carry.
 */
export function makeSpecialFile(scratch: string, entry: TarEntry): string | undefined {
  const path = join(scratch, `special-${made++}`);
  const [command = '', ...rest] =
    entry.type === 'fifo'
      ? ['mkfifo', path]
      : ['mknod', path, entry.type === 'char' ? 'c' : 'b', String(entry.deviceMajor), String(entry.deviceMinor)];
  try {
    execFileSync(command, rest, { stdio: 'ignore' });
    chmodSync(path, 0o600);
    return path;
  } catch {
    return undefined;
  }
}
