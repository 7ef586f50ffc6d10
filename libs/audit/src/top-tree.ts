import type { AuditStore } from '#ports/audit-store';
import { GrowingTiles } from './growing-tiles.js';
import { leafHash } from './merkle.js';

/**
 * The tree over the checkpoints of the partitions, for a log that has several: one signed root an interval instead of
 * one for each of them. A leaf is the body of a partition's checkpoint, appended when the partition has a new one.
 */
export async function appendCheckpoints(store: AuditStore, tree: number, bodies: readonly string[]): Promise<boolean> {
  const from = await store.size(tree);
  const tiles = await GrowingTiles.load(store, tree, from.entries);
  const rows = bodies.map((body, i) => {
    const entry = Buffer.from(body);
    tiles.add(from.entries + i, leafHash(entry));
    return { offset: from.entries + i, entry, moves: 0, about: '{}' };
  });
  return store.append(tree, { from, rows, paths: [], tiles: tiles.take() });
}

/** The last bodies among the first `size` that the tree has, newest last. */
export async function lastBodies(
  store: AuditStore,
  tree: number,
  { size, count }: { readonly size: number; readonly count: number },
): Promise<readonly string[]> {
  const rows = await store.entries(tree, Math.max(0, size - count), size);
  return rows.map(({ entry }) => Buffer.from(entry).toString());
}

/** The largest size that those last bodies tell of each partition, by its origin. */
export async function newestSizes(
  store: AuditStore,
  tree: number,
  place: { readonly size: number; readonly count: number },
): Promise<ReadonlyMap<string, number>> {
  const newest = new Map<string, number>();
  for (const body of await lastBodies(store, tree, place)) {
    const [origin = '', size] = body.split('\n');
    newest.set(origin, Math.max(newest.get(origin) ?? 0, Number(size)));
  }
  return newest;
}
