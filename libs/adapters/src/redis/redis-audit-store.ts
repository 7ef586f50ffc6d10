import type { Redis } from 'ioredis';
import { VarveError } from '#core/error';
import type { AuditAlarm, AuditBatch, AuditRow, AuditStore, AuditTreeSize } from '#ports/audit-store';
import { AuditNotices } from '../audit-notices.js';
import type { PieceBlobs } from './audit-pieces.js';
import { type AuditClient, type AuditTreeState, defineAuditScripts } from './audit-state.js';
import { PromisedTrees } from './promised-trees.js';
import { rowsPerPiece } from './redis-audit-tree.js';
import { connectRedis, placeOf, type RedisAddress } from './redis-connection.js';
import { redisError } from './redis-error.js';

export interface RedisAuditStoreOptions extends RedisAddress {
  /** Before every key; that of the graph, so that both go together. */
  readonly prefix: string;
  /** Where full pieces and checkpoints are kept. Stays open. */
  readonly blobs: PieceBlobs;
  /** Keeps the trees of several logs in one blob store apart. */
  readonly scope: string;
}

/** An alarm that nobody raises any more is one of processes that are gone. */
const alarmSeconds = 600;
const piecesAhead = 8;

/**
 * Audit trees for any number of processes: what grows lies in Redis, what is full and what was signed in the blob store. A
 * Redis that lost its data, or went back, is behind the last durable checkpoint of a tree: then the tree is put back to
 * that, and grows on from the log. @throws CONFIG_INVALID, UNAVAILABLE; what was opened is closed
 */
export async function openRedisAuditStore(options: RedisAuditStoreOptions): Promise<AuditStore> {
  const opened = new AsyncDisposableStack();
  try {
    const client = defineAuditScripts(await connectRedis(options, 'commands'));
    opened.defer(() => client.disconnect());
    const notices = await connectRedis(options, 'notices');
    opened.defer(() => notices.disconnect());
    const store = new RedisAuditStore(options, { client, notices, opened });
    await store.listen();
    return store;
  } catch (error) {
    await opened.disposeAsync();
    throw redisError(error, placeOf(options));
  }
}

interface Opened {
  readonly client: AuditClient;
  readonly notices: Redis;
  readonly opened: AsyncDisposableStack;
}

class RedisAuditStore implements AuditStore {
  readonly #client: AuditClient;
  readonly #notices: Redis;
  readonly #opened: AsyncDisposableStack;
  readonly #place: string;
  readonly #start: string;
  readonly #trees: PromisedTrees;
  readonly #wishes = new AuditNotices();

  constructor(options: RedisAuditStoreOptions, { client, notices, opened }: Opened) {
    this.#client = client;
    this.#notices = notices;
    this.#opened = opened;
    this.#place = placeOf(options);
    this.#start = `${options.prefix}{audit}:`;
    this.#trees = new PromisedTrees(client, { ...options, start: this.#start });
  }

  /** Once, when it is opened. */
  async listen(): Promise<void> {
    this.#notices.on('message', (_channel: string, tree: string) => this.#wishes.wish(Number(tree)));
    await this.#notices.subscribe(this.#channel);
  }

  async bind(logId: string): Promise<void> {
    const known = await this.#call(async () => {
      await this.#client.setnx(`${this.#start}log`, logId);
      return this.#client.get(`${this.#start}log`);
    });
    if (known === logId) return;
    const message = `the audit trees in Redis at ${this.#place} are of log ${known}; the event log is ${logId}: set another prefix in VARVE_GRAPH`;
    throw new VarveError('CONFIG_INVALID', message, { expected: logId, actual: known });
  }

  async size(tree: number): Promise<AuditTreeSize> {
    const { entries, moves } = await this.#state(tree);
    return { entries, moves };
  }

  append(tree: number, batch: AuditBatch): Promise<boolean> {
    return this.#call(() => this.#trees.append(tree, batch));
  }

  async entries(tree: number, from: number, to: number): Promise<readonly AuditRow[]> {
    return this.#call(async () => {
      const state = await this.#trees.having(tree, ({ entries }) => to <= entries);
      return this.#trees.tree(tree).rows(state, from, to);
    });
  }

  async tile(tree: number, level: number, index: number): Promise<Uint8Array | undefined> {
    return this.#call(async () => {
      const state = await this.#trees.having(
        tree,
        ({ entries }) => (index + 1) * rowsPerPiece ** (level + 1) <= entries,
      );
      return this.#trees.tree(tree).tile(state, level, index);
    });
  }

  async path(tree: number, n: number): Promise<Uint8Array | undefined> {
    return this.#call(async () => {
      const state = await this.#trees.having(tree, ({ moves }) => n < moves);
      return this.#trees.tree(tree).path(state, n);
    });
  }

  async *search(number: number, question: { from: number; to: number; texts: readonly string[] }) {
    const state = await this.#state(number);
    const { from, texts } = question;
    const to = Math.min(question.to, state.entries);
    if (from >= to) return;
    const tree = this.#trees.tree(number);
    const last = Math.floor((to - 1) / rowsPerPiece);
    const ahead: Promise<readonly AuditRow[]>[] = [];
    for (let index = Math.floor(from / rowsPerPiece), next = index; index <= last; index += 1) {
      for (; next <= Math.min(last, index + piecesAhead - 1); next += 1) {
        const asked = next;
        const piece = this.#call(() => tree.find(state, asked, texts));
        // Whoever has found enough reads no further.
        piece.catch(() => undefined);
        ahead.push(piece);
      }
      const rows = (await ahead.shift()) ?? [];
      const found = rows.filter(({ offset }) => offset >= from && offset < to);
      if (found.length > 0) yield found;
    }
  }

  async checkpoint(tree: number): Promise<string | undefined> {
    return (await this.#state(tree)).note;
  }

  async publish(tree: number, before: string | undefined, next: string): Promise<boolean> {
    const key = (await this.key()) ?? null;
    return this.#call(() => this.#trees.publish(tree, { before, next, key }));
  }

  async introduce(key: string): Promise<void> {
    await this.#call(() => this.#client.set(`${this.#start}key`, key));
  }

  async key(): Promise<string | undefined> {
    const ask = () => this.#call(() => this.#client.get(`${this.#start}key`));
    const key = await ask();
    if (key !== null) return key;
    // Putting a tree back brings the key with it.
    await this.#state(0);
    return (await ask()) ?? undefined;
  }

  async wish(tree: number): Promise<void> {
    await this.#call(() => this.#client.publish(this.#channel, String(tree)));
  }

  onWish(listener: (tree: number) => void): () => void {
    return this.#wishes.onWish(listener);
  }

  async raise(alarm: AuditAlarm | undefined): Promise<void> {
    const key = `${this.#start}alarm`;
    await this.#call<unknown>(() =>
      alarm ? this.#client.set(key, JSON.stringify(alarm), 'EX', alarmSeconds) : this.#client.del(key),
    );
  }

  async alarm(): Promise<AuditAlarm | undefined> {
    const text = await this.#call(() => this.#client.get(`${this.#start}alarm`));
    return text === null ? undefined : (JSON.parse(text) as AuditAlarm);
  }

  async close(): Promise<void> {
    await this.#opened.disposeAsync();
  }

  #state(tree: number): Promise<AuditTreeState> {
    return this.#call(() => this.#trees.state(tree));
  }

  get #channel(): string {
    return `${this.#start}wishes`;
  }

  async #call<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    try {
      return await ask();
    } catch (error) {
      throw redisError(error, this.#place);
    }
  }
}
