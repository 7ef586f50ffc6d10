import { Redis } from 'ioredis';
import type { RedisAddress } from '#adapters/redis/redis-connection';

/** Bytes of memory, as the server counts them: values, keys, and what it keeps about both. */
export interface MemoryByKind {
  places: number;
  ids: number;
  aliases: number;
  'bytes of commits': number;
  'layers and blobs': number;
  'reflog, refs and outcomes': number;
  'all that the server uses': number;
}

const kinds: Readonly<Record<string, keyof MemoryByKind>> = {
  c: 'places',
  m: 'places',
  i: 'ids',
  a: 'aliases',
  b: 'bytes of commits',
  l: 'layers and blobs',
  d: 'layers and blobs',
};

/** What each kind of row takes. The server holds one graph and nothing else. */
export async function memoryByKind(address: Pick<RedisAddress, 'host' | 'port'>): Promise<MemoryByKind> {
  const client = new Redis({ host: address.host, port: address.port, protocol: 2, disableClientInfo: true });
  try {
    const found: MemoryByKind = {
      places: 0,
      ids: 0,
      aliases: 0,
      'bytes of commits': 0,
      'layers and blobs': 0,
      'reflog, refs and outcomes': 0,
      'all that the server uses': Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]),
    };
    for await (const keys of client.scanStream({ count: 1_000 }) as AsyncIterable<string[]>) {
      const sizes = await Promise.all(keys.map((key) => client.memory('USAGE', key, 'SAMPLES', 0)));
      keys.forEach((key, i) => {
        const kind = kinds[/\{p\d+\}:([a-z]):/.exec(key)?.[1] ?? ''] ?? 'reflog, refs and outcomes';
        found[kind] += sizes[i] ?? 0;
      });
    }
    return found;
  } finally {
    client.disconnect();
  }
}
