import { VarveError } from '#core/error';
import type { AuditStore } from '#ports/audit-store';
import { type AuditEntry, decodeEntry } from './entry.js';

/** @throws CORRUPT */
export async function entryAt(store: AuditStore, tree: number, offset: number): Promise<AuditEntry> {
  const [row] = await store.entries(tree, offset, offset + 1);
  const entry = row && decodeEntry(row.entry);
  if (entry) return entry;
  throw new VarveError('CORRUPT', `entry ${offset} of audit tree ${tree} is damaged or lost`, { tree, offset });
}

/** The first record that stands later than `ms`, or `size`: times grow with offsets, so it takes log n looks. */
export async function firstAfter(
  store: AuditStore,
  { tree, size }: { readonly tree: number; readonly size: number },
  ms: number,
): Promise<number> {
  let [low, high] = [0, size];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((await entryAt(store, tree, middle)).t > ms) high = middle;
    else low = middle + 1;
  }
  return low;
}
