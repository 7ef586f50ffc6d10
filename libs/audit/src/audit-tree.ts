import { VarveError } from '#core/error';
import type { AcceptedMove } from '#core/event';
import type { RefName, RepositoryName } from '#core/name';
import type { AuditStore, AuditTreeSize, NewAuditRow } from '#ports/audit-store';
import { decodeEntry, entryText } from './entry.js';
import { GrowingTiles } from './growing-tiles.js';
import {
  decodeMapPath,
  encodeMapPath,
  type KnownPath,
  type MapPath,
  type NewLeaf,
  type ReadPath,
  writeKey,
} from './map-path.js';
import { type Hash, leavesOfTexts } from './merkle.js';
import { nothing, refKey, refValueHash } from './state-map.js';

/** A record and what the fold made of it. */
export interface JudgedRecord {
  readonly offset: number;
  /** When it stands in history, by the time of the record before it, milliseconds since 1970. */
  readonly timeAfter: (before: number) => number;
  readonly type: string;
  readonly record: Hash;
  readonly decision: string;
  readonly repo: RepositoryName | null;
  readonly moves: readonly AcceptedMove[];
  /** JSON text for questions. */
  readonly about: string;
  /** What questions name it by. */
  readonly words: readonly string[];
  /** What a notary told the log, when the record is that. */
  readonly checkpoint?: string | undefined;
}

/** Paths that are kept decoded: the next move of a branch starts from one of the last. */
const pathsKept = 4_096;
const keysKeptMax = 4_096;

/**
 * The growing tree of one partition. Its state is what the store holds and nothing else, so it goes on wherever it was
 * left; what it makes is a function of the records and of the fold alone.
 */
export class AuditTree {
  readonly #store: AuditStore;
  readonly #tree: number;
  readonly #paths = new Map<number, MapPath>();
  readonly #known: KnownPath = (move) => this.#paths.get(move);
  readonly #keys = new Map<RepositoryName, Map<RefName, Hash>>();
  #keysKept = 0;
  readonly #tiles: GrowingTiles;
  #size: AuditTreeSize;
  #time = 0;
  #state: Hash = nothing;

  private constructor(store: AuditStore, tree: number, { size, tiles }: { size: AuditTreeSize; tiles: GrowingTiles }) {
    this.#store = store;
    this.#tree = tree;
    this.#size = size;
    this.#tiles = tiles;
  }

  /** @throws CORRUPT */
  static async open(store: AuditStore, tree: number): Promise<AuditTree> {
    const size = await store.size(tree);
    const opened = new AuditTree(store, tree, { size, tiles: await GrowingTiles.load(store, tree, size.entries) });
    await opened.#goOn();
    return opened;
  }

  /** Records that are in the tree. */
  get size(): number {
    return this.#size.entries;
  }

  /** Appends records, the next ones in order. False when another writer was faster: then open the tree again. */
  async append(records: readonly JudgedRecord[]): Promise<boolean> {
    const from = this.#size;
    const entries: string[] = [];
    const moves: number[] = [];
    const paths: Uint8Array[] = [];
    for (const record of records) {
      for (const move of record.moves) {
        const set = this.#setOf(record, move);
        const number = from.moves + paths.length;
        let path = this.#move(set, number);
        // Nearly always it is at hand, and nothing is waited for.
        while (typeof path === 'number') path = await this.#readPath(path).then(() => this.#move(set, number));
        paths.push(encodeMapPath(path));
      }
      entries.push(this.#entryOf(record));
      moves.push(from.moves + paths.length);
    }
    const rows = leavesOfTexts(entries).map(({ entry, hash }, i): NewAuditRow => {
      const { offset, about, words } = records[i] as JudgedRecord;
      this.#tiles.add(offset, hash);
      return { offset, entry, moves: moves[i] as number, about, words };
    });
    const appended = await this.#store.append(this.#tree, { from, rows, paths, tiles: this.#tiles.take() });
    if (appended) this.#size = { entries: from.entries + rows.length, moves: from.moves + paths.length };
    this.#forgetOldest();
    return appended;
  }

  #entryOf({ offset, type, record, decision, timeAfter }: JudgedRecord): string {
    this.#time = timeAfter(this.#time);
    return entryText({ partition: this.#tree, offset, t: this.#time, type, record, decision, state: this.#state });
  }

  #setOf({ repo, offset }: JudgedRecord, move: AcceptedMove): NewLeaf {
    const leaf = { key: this.#keyOf(repo as RepositoryName, move.ref), value: refValueHash(move) };
    return { leaf, value: move, offset };
  }

  /** The path of the move; or the move whose path has to be read first. */
  #move(set: NewLeaf, number: number): MapPath | number {
    const path = writeKey(set, number - 1, this.#known);
    if (typeof path === 'number') return path;
    this.#paths.set(number, path);
    this.#state = path.own[0] as Hash;
    return path;
  }

  async #readPath(move: number): Promise<void> {
    this.#paths.set(move, await readPath(this.#store, this.#tree)(move));
  }

  /** The same refs move again and again. */
  #keyOf(repo: RepositoryName, ref: RefName): Hash {
    const known = this.#keys.get(repo)?.get(ref);
    if (known !== undefined) return known;
    if (this.#keysKept >= keysKeptMax) {
      this.#keys.clear();
      this.#keysKept = 0;
    }
    const key = refKey(repo, ref);
    this.#keys.set(repo, (this.#keys.get(repo) ?? new Map<RefName, Hash>()).set(ref, key));
    this.#keysKept += 1;
    return key;
  }

  /** Not earlier: what a batch writes is nowhere else until it is stored. */
  #forgetOldest(): void {
    for (const move of this.#paths.keys()) {
      if (this.#paths.size <= pathsKept) return;
      this.#paths.delete(move);
    }
  }

  /** From the last entry that is stored. */
  async #goOn(): Promise<void> {
    const { entries, moves } = this.#size;
    if (entries === 0) return;
    const [row] = await this.#store.entries(this.#tree, entries - 1, entries);
    const last = row && decodeEntry(row.entry);
    if (!last) throw damaged(this.#tree, entries - 1);
    this.#time = last.t;
    this.#state = last.state;
    if (moves > 0) await this.#readPath(moves - 1);
  }
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
