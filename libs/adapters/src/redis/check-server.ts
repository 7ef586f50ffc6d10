import type { Redis } from 'ioredis';
import { VarveError } from '#core/error';
import { isRefusal, redisError } from './redis-error.js';
import { probeScript } from './generation-scripts.js';

/** The oldest version this was tested with. */
const versionMin = [6, 2] as const;

/**
 * Refuses a server that would lose or mix up what it is given.
 * @throws CONFIG_INVALID, with what to change; UNAVAILABLE
 */
export async function checkServer(client: Redis, place: string, prefix: string): Promise<void> {
  const info = await told(client, place);
  const invalid = (what: string) => new VarveError('CONFIG_INVALID', `Redis at ${place} ${what}`);
  const version = info.get('redis_version') ?? '0';
  if (isOlder(version)) {
    throw invalid(`is version ${version}: the graph needs ${versionMin.join('.')} or newer; run a newer one`);
  }
  if (info.get('cluster_enabled') === '1') {
    throw invalid('is part of a Redis Cluster: the graph needs a server of its own; run one without cluster-enabled');
  }
  if (info.get('role') !== 'master') throw invalid('is a replica: name the address of its primary');
  const policy = info.get('maxmemory_policy');
  if (policy !== 'noeviction') {
    throw invalid(`would drop keys when memory is short (maxmemory-policy ${policy}): set maxmemory-policy noeviction`);
  }
  await checkRights(client, place, prefix);
}

async function told(client: Redis, place: string): Promise<ReadonlyMap<string, string>> {
  try {
    const text = await client.info();
    return new Map(
      text.split('\r\n').flatMap((line) => {
        const colon = line.indexOf(':');
        return colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1)] as const];
      }),
    );
  } catch (error) {
    throw deniedOr(error, place);
  }
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < versionMin[0] || (major === versionMin[0] && minor < versionMin[1]);
}

async function checkRights(client: Redis, place: string, prefix: string): Promise<void> {
  try {
    await client.eval(probeScript, 1, `${prefix}probe`);
  } catch (error) {
    // Out of memory is no reason not to start: reading goes on.
    if (!(error instanceof Error && error.message.includes('OOM'))) throw deniedOr(error, place);
  }
}

function deniedOr(error: unknown, place: string): VarveError {
  const denied =
    error instanceof Error && (isRefusal(error) || /NOPERM|permissions|can't run this command/.test(error.message));
  if (!denied) return redisError(error, place);
  const message = `Redis at ${place} does not let this user do what the graph needs (${error.message}): give it all commands and channels on its keys`;
  return new VarveError('CONFIG_INVALID', message, {}, { cause: error });
}
