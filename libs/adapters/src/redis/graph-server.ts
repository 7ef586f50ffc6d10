import type { Redis } from 'ioredis';
import { randomBytes } from 'node:crypto';
import { VarveError } from '#core/error';
import type { GraphBatch } from '#ports/graph-store';
import { applyScript, check } from './apply-script.js';
import { checkServer } from './check-server.js';
import { commitRowBytes, commitRowsPerChunk } from './commit-row-codec.js';
import { beginScript, claimScript, openScript, promoteScript, removeScript } from './generation-scripts.js';
import type { GraphKeys } from './graph-keys.js';
import { type GraphClient, GraphReads } from './graph-reads.js';
import { packBatch } from './pack-batch.js';
import { readScript } from './read-script.js';
import { connectRedis, placeOf, type RedisAddress } from './redis-connection.js';
import { lostKey, redisError } from './redis-error.js';

type Word = string | number | Buffer;

interface GraphScripts {
  varveOpen(...args: Word[]): Promise<string>;
  varveBegin(...args: Word[]): Promise<string | number>;
  varveClaim(...args: Word[]): Promise<number>;
  varvePromote(...args: Word[]): Promise<string>;
  varveRemove(...args: Word[]): Promise<number>;
}

/** Whether the batch stands; `gone`: what it was meant for does not. */
export type Applied = 'applied' | 'elsewhere' | 'gone';

/** Told of each batch and promotion, on its channel. */
export interface Notice {
  readonly channel: string;
  readonly text: string;
}

/**
 * A Redis that holds graphs: two connections, so that those who read need not wait behind those who write, and the steps
 * that are atomic. It knows nothing of what a generation means.
 */
export class GraphServer {
  readonly keys: GraphKeys;
  readonly place: string;
  readonly reads: GraphReads;
  /** Reads that come after every write that was sent before. */
  readonly readsInOrder: GraphReads;
  readonly #reader: GraphClient;
  readonly #writer: GraphClient & GraphScripts;

  private constructor(reader: Redis, writer: Redis, keys: GraphKeys, place: string) {
    this.#reader = defined(reader);
    this.#writer = defined(writer);
    this.keys = keys;
    this.place = place;
    this.reads = new GraphReads(this.#reader, keys, place);
    this.readsInOrder = new GraphReads(this.#writer, keys, place);
  }

  /** @throws CONFIG_INVALID (what to change), UNAVAILABLE */
  static async open(address: RedisAddress, keys: GraphKeys): Promise<GraphServer> {
    const reader = await connectRedis(address, 'commands');
    let writer: Redis | undefined;
    try {
      await checkServer(reader, placeOf(address), keys.prefix);
      writer = await connectRedis(address, 'commands');
      const server = new GraphServer(reader, writer, keys, placeOf(address));
      await server.makeGraph();
      return server;
    } catch (error) {
      reader.disconnect();
      writer?.disconnect();
      throw error;
    }
  }

  /** Whenever a connection is lost: what comes back may be another server, or one that went back to a snapshot. */
  onLost(listener: () => void): void {
    this.#reader.on('close', listener);
    this.#writer.on('close', listener);
  }

  /** Makes what there is not yet: all of a graph, or partitions that were lost. @throws CONFIG_INVALID */
  async makeGraph(): Promise<void> {
    const { prefix, partitionCount, meta, generations, allLive } = this.keys;
    const made = await this.#call(() =>
      this.#writer.varveOpen(2 + partitionCount, meta, generations, ...allLive, prefix, partitionCount, randomName()),
    );
    if (Number(made) === partitionCount) return;
    const message = `the graph under ${prefix} in Redis at ${this.place} was made for ${made} partitions, and the event log has ${partitionCount}: it is of another log; give this one another prefix`;
    throw new VarveError('CONFIG_INVALID', message, { prefix, expected: partitionCount, actual: Number(made) });
  }

  /** @throws STORAGE_FULL (nothing was written), UNAVAILABLE (it may have been), INTERNAL and CORRUPT (nothing was written) */
  async apply(
    target: { readonly kind: 'live' | 'build'; readonly generation: string; readonly partition: number },
    batch: GraphBatch,
    notice: Notice = { channel: '', text: '' },
  ): Promise<Applied> {
    const { kind, generation, partition } = target;
    const { checks, writes, partition: row, stretches } = packBatch(batch.changes);
    const start = this.keys.start(generation, partition);
    const keys = [this.keys.live(partition), `${start}checkpoint`];
    const checkpoint = [batch.offset, batch.recordDigest, batch.stateDigest, row, ...stretches];
    const written = [commitRowsPerChunk * commitRowBytes, checks, writes, notice.channel, notice.text];
    const words = [kind, generation, start, batch.previousOffset, ...checkpoint, ...written];
    const [answer, ...detail] = await this.#call(() => this.#writer.varveApply(keys.length, ...keys, ...words));
    if (answer === 'broken') throw broken(this.place, detail);
    return answer as Applied;
  }

  /** A new, empty generation, and the right to build it. @throws UNAVAILABLE while another process builds one */
  async beginGeneration(claimMs: number): Promise<string> {
    const { prefix, partitionCount, claim, generations } = this.keys;
    const made = await this.#call(() =>
      this.#writer.varveBegin(2, claim, generations, prefix, partitionCount, randomName(), claimMs),
    );
    if (typeof made === 'string') return made;
    const message = `another process is making the graph again; if it is not, its claim ends in ${Math.ceil(made / 1_000)} s`;
    throw new VarveError('UNAVAILABLE', message, { claimMs: made });
  }

  /** Whether the claim is still held, and now for so long. */
  async renewClaim(generation: string, claimMs: number): Promise<boolean> {
    return (await this.#call(() => this.#writer.varveClaim(1, this.keys.claim, generation, claimMs))) === 1;
  }

  async giveUpClaim(generation: string): Promise<void> {
    await this.#call(() => this.#writer.varveClaim(1, this.keys.claim, generation, 0));
  }

  async promote(generation: string): Promise<'promoted' | 'behind' | 'lost'> {
    const { claim, allLive, prefix, promotedChannel } = this.keys;
    const answer = await this.#call(() =>
      this.#writer.varvePromote(1 + allLive.length, claim, ...allLive, prefix, generation, promotedChannel),
    );
    return answer as 'promoted' | 'behind' | 'lost';
  }

  /** Generations that have keys and are neither live nor being built. */
  async unusedGenerations(): Promise<string[]> {
    const { generations, claim, allLive } = this.keys;
    return this.#call(async () => {
      const names = await this.#reader.smembers(generations);
      const used = new Set(await this.#reader.mget(claim, ...allLive));
      return names.filter((name) => !used.has(name));
    });
  }

  /** Removes all keys of a generation, piece by piece. Stops when it turns out to be used, or when told to. */
  async removeGeneration(generation: string, signal: AbortSignal): Promise<void> {
    const { prefix, partitionCount, generations } = this.keys;
    const checkpoints = Array.from({ length: partitionCount }, (_, partition) => {
      return `${this.keys.start(generation, partition)}checkpoint`;
    });
    // First what lets others write to it.
    if (!(await this.#remove(generation, checkpoints))) return;
    let cursor = '0';
    do {
      if (signal.aborted) return;
      const [next, found] = await this.#call(() =>
        this.#reader.scan(cursor, 'MATCH', `${prefix}${generation}:*`, 'COUNT', scanCount),
      );
      if (found.length > 0 && !(await this.#remove(generation, found))) return;
      cursor = next;
    } while (cursor !== '0');
    await this.#call(() => this.#writer.srem(generations, generation));
  }

  async #remove(generation: string, keys: readonly string[]): Promise<boolean> {
    const { claim, allLive } = this.keys;
    const given = [claim, ...allLive, ...keys];
    const answer = await this.#call(() =>
      this.#reader.eval(removeScript, given.length, ...given, generation, allLive.length),
    );
    return answer === 1;
  }

  close(): void {
    this.#reader.disconnect();
    this.#writer.disconnect();
  }

  async #call<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    try {
      return await call();
    } catch (error) {
      throw redisError(error, this.place);
    }
  }
}

const scanCount = 1_000;

function randomName(): string {
  return randomBytes(4).toString('hex');
}

function defined(client: Redis): GraphClient & GraphScripts {
  client.defineCommand('varveRead', { lua: readScript, numberOfKeys: 1 });
  client.defineCommand('varveApply', { lua: applyScript });
  client.defineCommand('varveOpen', { lua: openScript });
  client.defineCommand('varveBegin', { lua: beginScript });
  client.defineCommand('varveClaim', { lua: claimScript });
  client.defineCommand('varvePromote', { lua: promoteScript });
  return client as GraphClient & GraphScripts;
}

function broken(place: string, [kind, key, expected, actual]: readonly unknown[]): VarveError {
  if (kind === check.repository) {
    return new VarveError('INTERNAL', `a change names repository ${String(key)} before it is made`);
  }
  return lostKey(place, { key: String(key), expected, actual });
}
