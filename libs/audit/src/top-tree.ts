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

/** The bodies that partition checkpoints had when they were told last, newest last. */
export async function lastBodies(store: AuditStore, tree: number, count: number): Promise<readonly string[]> {
  const { entries } = await store.size(tree);
  const rows = await store.entries(tree, Math.max(0, entries - count), entries);
  return rows.map(({ entry }) => Buffer.from(entry).toString());
}
