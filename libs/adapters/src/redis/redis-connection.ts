import { Redis, type RedisOptions } from 'ioredis';
import { VarveError } from '#core/error';
import { isRefusal, redisError } from './redis-error.js';

/** A Redis server and how to get in. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly db?: number | undefined;
  readonly tls?: boolean | undefined;
}

/**
 * `commands`: for those who wait for an answer, so a server that is away is told of within seconds, and found again when
 * it is back. `notices`: for those who listen, so it waits for ever and listens again.
 */
export type RedisRole = 'commands' | 'notices';

const connectMs = 3_000;
const answerMs = 5_000;
const retryMsMin = 50;
const retryMsMax = 1_000;

function optionsFor(address: RedisAddress, role: RedisRole): RedisOptions & { replyMapping: 'legacy' } {
  const { host, port, username, password, db = 0, tls = false } = address;
  return {
    host,
    port,
    username,
    password,
    db,
    ...(tls ? { tls: {} } : {}),
    // We need no type that version 3 adds, and a proxy may not speak it.
    protocol: 2,
    replyMapping: 'legacy',
    lazyConnect: true,
    connectTimeout: connectMs,
    // A connection that ends has nothing left to say.
    disconnectTimeout: 100,
    disableClientInfo: true,
    connectionName: `varve-${role}`,
    retryStrategy: (times) => Math.min(retryMsMin * 2 ** Math.min(times, 10), retryMsMax),
    // A command that may have been done is sent again: every script of ours may run twice.
    autoResendUnfulfilledCommands: true,
    maxRetriesPerRequest: role === 'commands' ? 2 : null,
    ...(role === 'commands' ? { commandTimeout: answerMs } : {}),
  };
}

/** As people write it, without the password. */
export function placeOf({ host, port, db = 0 }: RedisAddress): string {
  return `${host}:${port}${db === 0 ? '' : `/${db}`}`;
}

/**
 * A connection that is there, or an error: later it comes back by itself.
 * @throws CONFIG_INVALID (wrong user or password, no such database), UNAVAILABLE (nobody answers)
 */
export async function connectRedis(address: RedisAddress, role: RedisRole): Promise<Redis> {
  const client = new Redis(optionsFor(address, role));
  let last: Error | undefined;
  // Without a listener an error would end the process; commands tell of it by themselves.
  client.on('error', (error: Error) => (last = error));
  try {
    await client.connect();
    // Wrong credentials and databases show at the first command, if not before.
    await client.ping();
    if (last && isConfigured(last)) throw last;
    return client;
  } catch (error) {
    client.disconnect();
    throw refusal(address, last ?? error);
  }
}

function isConfigured(error: Error): boolean {
  return isRefusal(error) || isNoDatabase(error);
}

function isNoDatabase({ message }: Error): boolean {
  return /DB index|invalid DB/i.test(message);
}

function refusal(address: RedisAddress, error: unknown): VarveError {
  const place = placeOf(address);
  const cause = error instanceof Error ? error : new Error(String(error));
  if (isRefusal(cause)) {
    const who = address.username === undefined ? 'the password' : `user ${address.username} and the password`;
    const given = address.password === undefined ? 'no password is given: put one into the address' : `it does not accept ${who} of the address`; // prettier-ignore
    return new VarveError('CONFIG_INVALID', `Redis at ${place} refuses us: ${given} (${cause.message})`, {}, { cause });
  }
  if (isNoDatabase(cause)) {
    const message = `Redis at ${place} has no database ${address.db ?? 0}: name another one in the address (${cause.message})`;
    return new VarveError('CONFIG_INVALID', message, {}, { cause });
  }
  return redisError(cause, place);
}
