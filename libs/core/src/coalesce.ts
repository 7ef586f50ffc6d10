import { unreachable } from './error.js';
import type { BlobRow, Change } from './graph-row.js';

/**
 * The same step with at most one change a row: its first `before` and its last `after`. A batch of 256 records moves
 * its repository 256 times and is stored once. Repositories come before what is in them.
 */
export function coalesce(changes: readonly Change[]): Change[] {
  const merged = new Map<string, Change>();
  const rows: Change[] = [];
  for (const change of changes) {
    const key = keyOf(change);
    if (key === undefined) rows.push(change);
    else merged.set(key, merge(merged.get(key), change));
  }
  return [...[...merged.values()].filter((change) => !isNothing(change)), ...rows];
}

/** Undefined for rows that are made once and never changed. */
function keyOf(change: Change): string | undefined {
  switch (change.type) {
    case 'partition':
      return 'partition';
    case 'repository':
      return `repository ${change.after.repo}`;
    case 'ref':
      return `ref ${change.repo} ${change.ref}`;
    case 'layer':
      return `layer ${change.after.diffId}`;
    case 'blob': {
      const row = (change.after ?? change.before) as BlobRow;
      return `blob ${row.digest} ${row.incarnation}`;
    }
    case 'commit':
    case 'reflog':
    case 'outcome':
      return undefined;
    default:
      return unreachable(change);
  }
}

/** Both are of one type and one row, because their keys are equal. */
function merge(earlier: Change | undefined, later: Change): Change {
  if (earlier === undefined || !('before' in earlier) || !('before' in later)) return later;
  return { ...later, before: earlier.before } as Change;
}

function isNothing(change: Change): boolean {
  return change.type === 'blob' && change.before === null && change.after === null;
}
