import { setTimeout as sleep } from 'node:timers/promises';
import { isVarveError, VarveError } from '#core/error';
import type { AuditBatch } from '#ports/audit-store';
import { AuditCheckpoints, type AuditEdge, type CheckpointPlace, type KeptCheckpoint } from './audit-checkpoints.js';
import { AuditPieces, type PieceBlobs } from './audit-pieces.js';
import type { AuditClient, AuditTreeState } from './audit-state.js';
import { RedisAuditTree } from './redis-audit-tree.js';

/** So many checkpoints of a tree are kept for good; older ones say nothing that these do not. */
const checkpointsKept = 4;
/** How old a look at the durable checkpoints may be. */
const listedMsMax = 1_000;
/** Between the durable step of a publication and the one that shows it. */
const publicationMs = 300;
/** A checkpoint that was listed may be an old one by now, and be gone. */
const looksMax = 20;

const emptyEdge: AuditEdge = {
  entries: 0,
  moves: 0,
  rowPieces: 0,
  pathPieces: 0,
  rows: [],
  paths: [],
  tiles: new Map(),
};

export interface Publication {
  readonly before: string | undefined;
  readonly next: string;
  readonly key: string | null;
}

/**
 * The trees of one log together with what was promised of them: a tree in Redis that is behind its last durable
 * checkpoint, because Redis lost its data or went back, or because a process died between the two steps of a publication,
 * is put back to that before anything is read from it or written to it.
 */
export class PromisedTrees {
  readonly #client: AuditClient;
  readonly #start: string;
  readonly #pieces: AuditPieces;
  readonly #checkpoints: AuditCheckpoints;
  readonly #trees = new Map<number, RedisAuditTree>();
  /** By tree: the highest number of a publication that this process has seen, in Redis or for good. */
  readonly #seen = new Map<number, number>();
  /** By tree: where it was when it was asked last. */
  readonly #known = new Map<number, AuditTreeState>();
  #listed: { readonly at: number; readonly places: Promise<readonly CheckpointPlace[]> } | undefined;

  /** All keys begin with `start`. */
  constructor(
    client: AuditClient,
    options: { readonly start: string; readonly blobs: PieceBlobs; readonly scope: string },
  ) {
    this.#client = client;
    this.#start = options.start;
    this.#pieces = new AuditPieces(options.blobs, options.scope);
    this.#checkpoints = new AuditCheckpoints(options.blobs, options.scope);
  }

  tree(number: number): RedisAuditTree {
    const known = this.#trees.get(number);
    if (known) return known;
    const start = `${this.#start}${number}:`;
    const look = () => this.state(number);
    const tree = new RedisAuditTree({ client: this.#client, pieces: this.#pieces, tree: number, start, look });
    this.#trees.set(number, tree);
    return tree;
  }

  /** What is once in a tree does not change: for that, where the tree was when it was last asked is as good as now. */
  async having(tree: number, hasIt: (state: AuditTreeState) => boolean): Promise<AuditTreeState> {
    const known = this.#known.get(tree);
    return known && hasIt(known) ? known : this.state(tree);
  }

  /** Where a tree is: never before what this process has seen published. */
  async state(number: number): Promise<AuditTreeState> {
    const state = await this.#stateNow(number);
    this.#known.set(number, state);
    return state;
  }

  async #stateNow(number: number): Promise<AuditTreeState> {
    const tree = this.tree(number);
    const state = await tree.state();
    const seen = this.#seen.get(number);
    if (seen !== undefined && state.number >= seen) {
      this.#seen.set(number, state.number);
      return state;
    }
    await this.#catchUp(number, seen === undefined ? listedMsMax : 0);
    const now = await tree.state();
    this.#seen.set(number, now.number);
    return now;
  }

  /** @see AuditStore.append */
  async append(number: number, batch: AuditBatch): Promise<boolean> {
    const state = await this.state(number);
    const { from, rows, paths } = batch;
    if (state.entries !== from.entries || state.moves !== from.moves) return false;
    const tree = this.tree(number);
    if (tree.isFull(state)) {
      // A tree that went back must not write over pieces that a checkpoint counts on.
      if (await this.#catchUp(number, listedMsMax)) return false;
      await tree.seal();
    }
    if (!(await tree.append(batch))) return false;
    const grown = { ...state, entries: from.entries + rows.length, moves: from.moves + paths.length };
    if (tree.isFull(grown)) await this.#sealNow(number);
    return true;
  }

  /** @see AuditStore.publish; `key` is kept with it. */
  async publish(number: number, { before, next, key }: Publication): Promise<boolean> {
    await this.#catchUp(number, listedMsMax);
    const state = await this.state(number);
    if (state.note !== before) return false;
    const tree = this.tree(number);
    const { edge } = await tree.edge();
    const kept = { number: state.number + 1, note: next, key, edge };
    // First for good, then for all to see: so nobody has seen what could be forgotten.
    const place = await this.#checkpoints.write(number, kept);
    if (!(await tree.publish(state, kept.number, next))) {
      await this.#remove([place]);
      return false;
    }
    this.#seen.set(number, kept.number);
    await this.#removeBefore(place);
    return true;
  }

  /** Puts a tree back to its last durable checkpoint when Redis is behind that; true when it was. */
  async #catchUp(number: number, listedMs: number): Promise<boolean> {
    const tree = this.tree(number);
    for (let ageMs = listedMs, looks = 0; looks < looksMax; ageMs = 0, looks += 1) {
      const places = (await this.#list(ageMs)).filter((place) => place.tree === number);
      const last = Math.max(0, ...places.map((place) => place.number));
      const state = await tree.state();
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
    if (key !== null) await this.#client.setnx(`${this.#start}key`, key);
    await tree.restore({ ...kept, edge: hasPieces ? edge : emptyEdge });
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
      if (!(await this.#catchUp(number, listedMsMax))) await this.tree(number).seal();
    } catch (error) {
      if (!isVarveError(error) || !['UNAVAILABLE', 'STORAGE_FULL'].includes(error.code)) throw error;
    }
  }

  /** Removes what a new checkpoint is far enough ahead of, as far as it is known here without another look. */
  async #removeBefore(newest: CheckpointPlace): Promise<void> {
    const listed = this.#listed;
    if (!listed) return;
    const places = [...(await listed.places), newest];
    const isOld = ({ tree, number }: CheckpointPlace) =>
      tree === newest.tree && number <= newest.number - checkpointsKept;
    this.#listed = { at: listed.at, places: Promise.resolve(places.filter((place) => !isOld(place))) };
    await this.#remove(places.filter(isOld));
  }

  /** What stays is garbage, which a later publication removes. */
  async #remove(places: readonly CheckpointPlace[]): Promise<void> {
    await Promise.allSettled(places.map((place) => this.#checkpoints.remove(place)));
  }
}
