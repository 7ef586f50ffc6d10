import { VarveError } from '#core/error';
import type { AcceptedMove } from '#core/event';
import type { RepositoryName } from '#core/name';
import type { AuditBatch, AuditStore, AuditTreeSize } from '#ports/audit-store';
import { decodeEntry, encodeEntry } from './entry.js';
import { decodeMapPath, encodeMapPath, type MapPath, type ReadPath, writeKey } from './map-path.js';
import { type Hash, leafHash } from './merkle.js';
import { emptyState, refKey, refValueHash } from './state-map.js';
import { decodeHashes, encodeHashes, foldHashes, tileWidth } from './tile.js';

/** A record and what the fold made of it. */
export interface JudgedRecord {
  readonly offset: number;
  /** When it stands in history, by the time of the record before it, milliseconds since 1970. */
  timeAfter(before: number): number;
  readonly type: string;
  readonly record: Hash;
  readonly decision: string;
  readonly repo: RepositoryName | null;
  readonly moves: readonly AcceptedMove[];
  /** JSON text for questions. */
  readonly about: string;
}

/** Paths that are kept decoded: the next move of a branch starts from one of the last. */
const pathsKept = 4_096;

/**
 * The growing tree of one partition. Its state is what the store holds and nothing else, so it goes on wherever it was
 * left; what it makes is a function of the records and of the fold alone.
 */
export class AuditTree {
  readonly #store: AuditStore;
  readonly #tree: number;
  readonly #paths = new Map<number, MapPath>();
  #size: AuditTreeSize = { entries: 0, moves: 0 };
  /** The hashes of the tile that is filling up, on each level. */
  #rows: Hash[][] = [[]];
  #time = 0;
  #state: Hash = emptyState;

  private constructor(store: AuditStore, tree: number) {
    this.#store = store;
    this.#tree = tree;
  }

  static async open(store: AuditStore, tree: number): Promise<AuditTree> {
    const opened = new AuditTree(store, tree);
    await opened.#load();
    return opened;
  }

  /** Records that are in the tree. */
  get size(): number {
    return this.#size.entries;
  }

  /** Appends records, the next ones in order. False when another writer was faster: then open the tree again. */
  async append(records: readonly JudgedRecord[]): Promise<boolean> {
    const growing = {
      rows: [] as AuditBatch['rows'][number][],
      paths: [] as Uint8Array[],
      tiles: new Map<string, Tile>(),
    };
    const from = this.#size;
    for (const record of records) {
      for (const move of record.moves)
        growing.paths.push(encodeMapPath(await this.#move(record, move, from.moves + growing.paths.length)));
      const { offset, type, record: digest, decision } = record;
      this.#time = record.timeAfter(this.#time);
      const entry = encodeEntry({
        partition: this.#tree,
        offset,
        t: this.#time,
        type,
        record: digest,
        decision,
        state: this.#state,
      });
      growing.rows.push({ offset, entry, moves: from.moves + growing.paths.length, about: record.about });
      this.#addHash(0, offset, leafHash(entry), growing.tiles);
    }
    const { rows, paths, tiles } = growing;
    const batch = {
      from,
      rows,
      paths,
      tiles: [...tiles.values()].map(({ hashes, ...at }) => ({ ...at, hashes: encodeHashes(hashes) })),
    };
    this.#size = { entries: from.entries + rows.length, moves: from.moves + paths.length };
    const appended = await this.#store.append(this.#tree, batch);
    this.#forgetOldest();
    return appended;
  }

  async #move(
    { repo, offset }: JudgedRecord,
    { ref, commit, version }: AcceptedMove,
    number: number,
  ): Promise<MapPath> {
    const value = { commit, version };
    const leaf = { key: refKey(repo as RepositoryName, ref), value: refValueHash(value) };
    const path = await writeKey({ leaf, value, offset }, number - 1, (move) => this.#path(move));
    this.#keep(number, path);
    this.#state = path.own[0] as Hash;
    return path;
  }

  async #path(move: number): Promise<MapPath> {
    return this.#paths.get(move) ?? this.#keep(move, await readPath(this.#store, this.#tree)(move));
  }

  #keep(move: number, path: MapPath): MapPath {
    this.#paths.set(move, path);
    return path;
  }

  /** Not earlier: what a batch writes is nowhere else until it is stored. */
  #forgetOldest(): void {
    for (const move of this.#paths.keys()) {
      if (this.#paths.size <= pathsKept) return;
      this.#paths.delete(move);
    }
  }

  /** Puts the hash at `index` of a level; a tile that is full is one hash of the next tile up. */
  #addHash(level: number, index: number, hash: Hash, tiles: Map<string, Tile>): void {
    const row = (this.#rows[level] ??= []);
    row.push(hash);
    const tile = Math.floor(index / tileWidth);
    const isFull = row.length === tileWidth;
    // The lowest one is made again from its entries until it is full: it would be written anew for each record.
    if (isFull || level > 0) tiles.set(`${level} ${tile}`, { level, index: tile, hashes: [...row] });
    if (!isFull) return;
    this.#rows[level] = [];
    this.#addHash(level + 1, tile, foldHashes(row), tiles);
  }

  async #load(): Promise<void> {
    this.#size = await this.#store.size(this.#tree);
    const { entries, moves } = this.#size;
    if (entries === 0) return;
    const width = entries % tileWidth;
    const rows = await this.#store.entries(this.#tree, entries - Math.max(width, 1), entries);
    const last = rows.at(-1) && decodeEntry(rows.at(-1)!.entry);
    if (!last) throw damaged(this.#tree, entries - 1);
    this.#time = last.t;
    this.#state = last.state;
    this.#rows = [width === 0 ? [] : rows.map(({ entry }) => leafHash(entry))];
    for (
      let level = 1, count = Math.floor(entries / tileWidth);
      count > 0;
      level += 1, count = Math.floor(count / tileWidth)
    ) {
      const stored =
        count % tileWidth === 0 ? undefined : await this.#store.tile(this.#tree, level, Math.floor(count / tileWidth));
      this.#rows[level] = stored ? decodeHashes(stored).slice(0, count % tileWidth) : [];
    }
    if (moves > 0) await this.#path(moves - 1);
  }
}

interface Tile {
  readonly level: number;
  readonly index: number;
  readonly hashes: readonly Hash[];
}

/** Reads the paths of one tree. @throws CORRUPT */
export function readPath(store: AuditStore, tree: number): ReadPath {
  return async (move) => {
    const bytes = await store.path(tree, move);
    if (bytes) return decodeMapPath(bytes);
    throw new VarveError('CORRUPT', `the audit store has lost the path of move ${move} of tree ${tree}`, {
      tree,
      move,
    });
  };
}

function damaged(tree: number, offset: number): VarveError {
  return new VarveError('CORRUPT', `entry ${offset} of audit tree ${tree} is damaged`, { tree, offset });
}
