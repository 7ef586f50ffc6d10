import { VarveError } from '#core/error';
import type { AuditStore } from '#ports/audit-store';
import { type Hash, leafHash, type ReadHashes } from './merkle.js';
import { decodeHashes, foldHashes, tileOf, tileWidth } from './tile.js';

/** Hashes of subtrees from the stored tiles; a lowest tile that is not full is hashed from its entries. @throws CORRUPT */
export function hashReader(store: AuditStore, tree: number): ReadHashes {
  return async (subtrees) => {
    const tiles = new Map<string, Promise<readonly Hash[]>>();
    const places = subtrees.map(tileOf);
    for (const { level, index } of places) {
      const key = `${level} ${index}`;
      if (!tiles.has(key)) tiles.set(key, readTile(store, tree, { level, index }));
    }
    return Promise.all(
      places.map(async ({ level, index, first, count }) => {
        const hashes = (await tiles.get(`${level} ${index}`)) ?? [];
        if (hashes.length >= first + count) return foldHashes(hashes.slice(first, first + count));
        const message = `tile ${index} of level ${level} of audit tree ${tree} has ${hashes.length} hashes; ${first + count} are asked for`;
        throw new VarveError('CORRUPT', message, { tree, level, index });
      }),
    );
  };
}

/** All the hashes that a tile has now. */
export async function readTile(
  store: AuditStore,
  tree: number,
  { level, index }: { readonly level: number; readonly index: number },
): Promise<readonly Hash[]> {
  const stored = await store.tile(tree, level, index);
  if (stored) return decodeHashes(stored);
  if (level > 0) return [];
  const rows = await store.entries(tree, index * tileWidth, (index + 1) * tileWidth);
  return rows.map(({ entry }) => leafHash(entry));
}
