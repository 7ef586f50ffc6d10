import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { RedisAddress } from '#adapters/redis/redis-connection';

const script = join(import.meta.dirname, '..', 'scripts/services.sh');

/** Runs the work beside a Redis of its own. Where there is none to start, the answer is why. */
export async function withRedis<Answer>(work: (address: RedisAddress) => Promise<Answer>): Promise<Answer | string> {
  const state = mkdtempSync(join(tmpdir(), 'varve-bench-'));
  const services = (...words: string[]) =>
    promisify(execFile)(script, words, { env: { ...process.env, VARVE_SERVICES_STATE: state } });
  try {
    try {
      await services('up', 'redis');
    } catch (error) {
      return lastLine(error);
    }
    const { stdout } = await services('env');
    const { hostname, port } = new URL(/VARVE_TEST_REDIS=(\S+)/.exec(stdout)?.[1] ?? '');
    try {
      return await work({ host: hostname, port: Number(port) });
    } finally {
      await services('down', 'redis');
    }
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
}

function lastLine(error: unknown): string {
  const text = String((error as { stderr?: unknown }).stderr ?? error).trim();
  return text.split('\n').at(-1) ?? 'it did not start';
}
