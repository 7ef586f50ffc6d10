import type { AuditBatch, AuditStore } from '#ports/audit-store';
import { type Hash, leafHash } from './merkle.js';
import { decodeHashes, encodeHashes, foldHashes, tileWidth } from './tile.js';

/** The tiles on the right edge of a tree, which are filling up: what is needed to append a leaf. */
export class GrowingTiles {
  readonly #rows: Hash[][];
  #changed = new Map<string, { readonly level: number; readonly index: number; readonly hashes: readonly Hash[] }>();

  private constructor(rows: Hash[][]) {
    this.#rows = rows;
  }

  /** Of a tree with so many entries, as it is stored. */
  static async load(store: AuditStore, tree: number, entries: number): Promise<GrowingTiles> {
    const width = entries % tileWidth;
    const last = width === 0 ? [] : await store.entries(tree, entries - width, entries);
    const rows = [last.map(({ entry }) => leafHash(entry))];
    for (let count = Math.floor(entries / tileWidth); count > 0; count = Math.floor(count / tileWidth)) {
      const level = rows.length;
      const filled = count % tileWidth;
      const stored = filled === 0 ? undefined : await store.tile(tree, level, Math.floor(count / tileWidth));
      rows.push(stored ? decodeHashes(stored).slice(0, filled) : []);
    }
    return new GrowingTiles(rows);
  }

  add(offset: number, leaf: Hash): void {
    this.#put(0, offset, leaf);
  }

  /** The tiles that changed since the last call, to be stored. */
  take(): AuditBatch['tiles'] {
    const tiles = [...this.#changed.values()].map(({ hashes, ...place }) => ({
      ...place,
      hashes: encodeHashes(hashes),
    }));
    this.#changed = new Map();
    return tiles;
  }

  /** Puts the hash at `index` of a level; a tile that is full is one hash of the next level. */
  #put(level: number, index: number, hash: Hash): void {
    const row = (this.#rows[level] ??= []);
    row.push(hash);
    const tile = Math.floor(index / tileWidth);
    const isFull = row.length === tileWidth;
    // The lowest one is made again from its entries until it is full: it would be written anew for each record.
    if (isFull || level > 0) this.#changed.set(`${level} ${tile}`, { level, index: tile, hashes: row });
    if (!isFull) return;
    this.#rows[level] = [];
    this.#put(level + 1, tile, foldHashes(row));
  }
}
