import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { isVarveError, VarveError } from '#core/error';
import type { AuditAlarm, AuditBatch, AuditRow, AuditStore, AuditTreeSize } from '#ports/audit-store';
import { AuditNotices } from '../audit-notices.js';
import { type AuditEdge, AuditCheckpoints, type CheckpointPlace, type KeptCheckpoint } from './audit-checkpoints.js';
import { AuditPieces, type PieceBlobs } from './audit-pieces.js';
import {
  type AuditClient,
  type AuditTreeState,
  defineAuditScripts,
  RedisAuditTree,
  rowsPerPiece,
} from './redis-audit-tree.js';
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
/** So many checkpoints of a tree are kept for good; older ones say nothing that these do not. */
const checkpointsKept = 4;
/** How old a look at the durable checkpoints may be. */
const listedMsMax = 1_000;
/** Between the durable step of a publication and the one that shows it. */
const publicationMs = 300;
const piecesAhead = 8;
/** A checkpoint that was listed may be an old one by now, and be gone. */
const looksMax = 20;

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

const emptyEdge: AuditEdge = {
  entries: 0,
  moves: 0,
  rowPieces: 0,
  pathPieces: 0,
  rows: [],
  paths: [],
  tiles: new Map(),
};

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
  readonly #pieces: AuditPieces;
  readonly #checkpoints: AuditCheckpoints;
  readonly #wishes = new AuditNotices();
  readonly #trees = new Map<number, RedisAuditTree>();
  /** By tree: the highest number of a publication that this process has seen, in Redis or for good. */
  readonly #seen = new Map<number, number>();
  /** By tree: where it was when it was asked last. */
  readonly #known = new Map<number, AuditTreeState>();
  #listed: { readonly at: number; readonly places: Promise<readonly CheckpointPlace[]> } | undefined;

  constructor(options: RedisAuditStoreOptions, { client, notices, opened }: Opened) {
    this.#client = client;
    this.#notices = notices;
    this.#opened = opened;
    this.#place = placeOf(options);
    this.#start = `${options.prefix}{audit}:`;
    this.#pieces = new AuditPieces(options.blobs, options.scope);
    this.#checkpoints = new AuditCheckpoints(options.blobs, options.scope);
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

  async append(number: number, batch: AuditBatch): Promise<boolean> {
    const state = await this.#state(number);
    const { from, rows, paths } = batch;
    if (state.entries !== from.entries || state.moves !== from.moves) return false;
    const tree = this.#tree(number);
    if (tree.isFull(state)) {
      // A tree that went back must not write over pieces that a checkpoint counts on.
      if (await this.#catchUp(number, listedMsMax)) return false;
      await this.#call(() => tree.seal());
    }
    if (!(await this.#call(() => tree.append(batch)))) return false;
    const grown = { ...state, entries: from.entries + rows.length, moves: from.moves + paths.length };
    if (tree.isFull(grown)) await this.#sealNow(number);
    return true;
  }

  async entries(tree: number, from: number, to: number): Promise<readonly AuditRow[]> {
    const state = await this.#having(tree, ({ entries }) => to <= entries);
    return this.#call(() => this.#tree(tree).rows(state, from, to));
  }

  async tile(tree: number, level: number, index: number): Promise<Uint8Array | undefined> {
    const state = await this.#having(tree, ({ entries }) => (index + 1) * rowsPerPiece ** (level + 1) <= entries);
    return this.#call(() => this.#tree(tree).tile(state, level, index));
  }

  async path(tree: number, n: number): Promise<Uint8Array | undefined> {
    const state = await this.#having(tree, ({ moves }) => n < moves);
    return this.#call(() => this.#tree(tree).path(state, n));
  }

  async *search(number: number, question: { from: number; to: number; texts: readonly string[] }) {
    const state = await this.#state(number);
    const { from, texts } = question;
    const to = Math.min(question.to, state.entries);
    if (from >= to) return;
    const tree = this.#tree(number);
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

  async publish(number: number, before: string | undefined, next: string): Promise<boolean> {
    await this.#catchUp(number, listedMsMax);
    const state = await this.#state(number);
    if (state.note !== before) return false;
    const tree = this.#tree(number);
    const { edge } = await this.#call(() => tree.edge());
    const kept = { number: state.number + 1, note: next, key: (await this.key()) ?? null, edge };
    // First for good, then for all to see: so nobody has seen what could be forgotten.
    const place = await this.#checkpoints.write(number, kept);
    if (!(await this.#call(() => tree.publish(state, kept.number, next)))) {
      await this.#remove([place]);
      return false;
    }
    this.#seen.set(number, kept.number);
    const places = (await this.#listed?.places) ?? [];
    await this.#remove(places.filter((old) => old.tree === number && old.number <= kept.number - checkpointsKept));
    return true;
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

  /** What is once in a tree does not change: for that, where the tree was when it was last asked is as good as now. */
  async #having(tree: number, hasIt: (state: AuditTreeState) => boolean): Promise<AuditTreeState> {
    const known = this.#known.get(tree);
    return known && hasIt(known) ? known : this.#state(tree);
  }

  /** Where a tree is: never before what this process has seen published. */
  async #state(number: number): Promise<AuditTreeState> {
    const state = await this.#stateNow(number);
    this.#known.set(number, state);
    return state;
  }

  async #stateNow(number: number): Promise<AuditTreeState> {
    const tree = this.#tree(number);
    const state = await this.#call(() => tree.state());
    const seen = this.#seen.get(number);
    if (seen !== undefined && state.number >= seen) {
      this.#seen.set(number, state.number);
      return state;
    }
    await this.#catchUp(number, seen === undefined ? listedMsMax : 0);
    const now = await this.#call(() => tree.state());
    this.#seen.set(number, now.number);
    return now;
  }

  /** Puts a tree back to its last durable checkpoint when Redis is behind that; true when it was. */
  async #catchUp(number: number, listedMs: number): Promise<boolean> {
    const tree = this.#tree(number);
    for (let ageMs = listedMs, looks = 0; looks < looksMax; ageMs = 0, looks += 1) {
      const places = (await this.#list(ageMs)).filter((place) => place.tree === number);
      const last = Math.max(0, ...places.map((place) => place.number));
      const state = await this.#call(() => tree.state());
      if (state.number >= last) return false;
      if (state.number === last - 1 && looks === 0) {
        // Somebody may be publishing it just now.
        await sleep(publicationMs);
        continue;
      }
      const kept = await this.#read(places.filter((place) => place.number === last));
      if (!kept) continue;
      await this.#restore(tree, kept);
      return true;
    }
    const message = `the blob store names checkpoints of audit tree ${number} that it does not hold: ask again`;
    throw new VarveError('UNAVAILABLE', message, { tree: number });
  }

  async #restore(tree: RedisAuditTree, kept: KeptCheckpoint): Promise<void> {
    const { key, edge } = kept;
    // Without its pieces it is made again from the first record, and must come to what was signed.
    const hasPieces = await tree.hasPieces(edge);
    await this.#call(async () => {
      if (key !== null) await this.#client.setnx(`${this.#start}key`, key);
      await tree.restore({ ...kept, edge: hasPieces ? edge : emptyEdge });
    });
  }

  /** Of several of one number, which two processes wrote at once, the one that saw most. */
  async #read(places: readonly CheckpointPlace[]): Promise<KeptCheckpoint | undefined> {
    const found = await Promise.all(places.map((place) => this.#checkpoints.read(place)));
    const [first, ...others] = found.filter((kept) => kept !== undefined);
    return first && others.reduce((most, kept) => (kept.edge.entries > most.edge.entries ? kept : most), first);
  }

  #list(ageMs: number): Promise<readonly CheckpointPlace[]> {
    const now = performance.now();
    if (this.#listed && now - this.#listed.at < ageMs) return this.#listed.places;
    const places = this.#checkpoints.list();
    const listed = { at: now, places };
    this.#listed = listed;
    places.catch(() => {
      if (this.#listed === listed) this.#listed = undefined;
    });
    return places;
  }

  /** What cannot be moved now waits in Redis, and the next batch waits for it. */
  async #sealNow(number: number): Promise<void> {
    try {
      if (!(await this.#catchUp(number, listedMsMax))) await this.#call(() => this.#tree(number).seal());
    } catch (error) {
      if (!isVarveError(error) || !['UNAVAILABLE', 'STORAGE_FULL'].includes(error.code)) throw error;
    }
  }

  /** What stays is garbage, which the next publication removes. */
  async #remove(places: readonly CheckpointPlace[]): Promise<void> {
    await Promise.allSettled(places.map((place) => this.#checkpoints.remove(place)));
  }

  #tree(number: number): RedisAuditTree {
    const known = this.#trees.get(number);
    if (known) return known;
    const start = `${this.#start}${number}:`;
    const look = () => this.#state(number);
    const tree = new RedisAuditTree({ client: this.#client, pieces: this.#pieces, tree: number, start, look });
    this.#trees.set(number, tree);
    return tree;
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
