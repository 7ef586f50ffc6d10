import { rowOf, typeNumber } from '#tar/layer-entries';
import { linkOf, type RootfsTree, sizeOf, typeOf } from '#union/rootfs-tree';
import { orZero } from '#tar/columns';
import type { ContentDigests } from './content-digests.js';
import { entryOf, type TreeEntry } from './tree-entry.js';
import { type NodePair, sameXattrs, sourceEquality, unequalNodes } from './unequal-nodes.js';

/**
 * How a path differs: A added, M content changed, m only metadata, D deleted, T type changed, S a shadow: an upper layer
 * has it again and nothing of it is other. @see surface.md 4.2
 */
export type ChangeClass = 'A' | 'M' | 'm' | 'D' | 'T' | 'S';

/** Which parts of a path are other. */
export type ChangedPart = 'content' | 'mode' | 'owner' | 'xattrs' | 'mtime';

export interface Change {
  readonly class: ChangeClass;
  readonly before: TreeEntry | null;
  readonly after: TreeEntry | null;
  /** Empty but for M and m. */
  readonly changed: readonly ChangedPart[];
}

/** Two trees, and what counts as a change. `shadowsFrom`: layers of `after` from this one on are looked at for S. */
export interface Comparison {
  readonly before: RootfsTree;
  readonly after: RootfsTree;
  readonly digests: ContentDigests;
  readonly times: boolean;
  readonly shadowsFrom: number | null;
}

/** The changes at and below some paths. @throws CORRUPT, UNAVAILABLE */
export async function* changesOf(comparison: Comparison, starts: readonly NodePair[]): AsyncGenerator<Change> {
  const { before, after, digests } = comparison;
  const isSameSource = sourceEquality(before, after);
  for (const start of starts) {
    for (const pair of unequalNodes(before, after, start)) {
      if (pair.before >= 0) await digests.load(before, pair.before);
      if (pair.after >= 0) await digests.load(after, pair.after);
      const change = judge(comparison, pair, isSameSource);
      if (change) yield change;
    }
  }
}

function judge(
  comparison: Comparison,
  { path, before: a, after: b }: NodePair,
  isSameSource: (a: number, b: number) => boolean,
): Change | undefined {
  const { before, after, digests } = comparison;
  const told = (of: ChangeClass, changed: readonly ChangedPart[] = []): Change => ({
    class: of,
    before: a < 0 ? null : entryOf(before, a, path, digests.digest(before, a)),
    after: b < 0 ? null : entryOf(after, b, path, digests.digest(after, b)),
    changed,
  });
  if (a < 0) return told('A');
  if (b < 0) return told('D');
  if (typeOf(before, a) !== typeOf(after, b)) return told('T');
  const changed = changedParts(comparison, a, b, isSameSource);
  if (changed.includes('content')) return told('M', changed);
  if (changed.length > 0) return told('m', changed);
  const isShadow =
    comparison.shadowsFrom !== null &&
    after.layerPlaces[after.layer[b]!]! >= comparison.shadowsFrom &&
    !isSameSource(a, b);
  return isShadow ? told('S') : undefined;
}

function changedParts(
  { before, after, digests, times }: Comparison,
  a: number,
  b: number,
  isSameSource: (a: number, b: number) => boolean,
): ChangedPart[] {
  const changed: ChangedPart[] = [];
  if (!isSameSource(a, b) && !sameContent({ before, after, digests }, a, b)) changed.push('content');
  if (before.mode[a] !== after.mode[b]) changed.push('mode');
  const isOwner = orZero(before.uid, a) === orZero(after.uid, b) && orZero(before.gid, a) === orZero(after.gid, b);
  if (!isOwner) changed.push('owner');
  if (!sameXattrs(before, a, after, b)) changed.push('xattrs');
  if (times && !sameTime(before, a, after, b)) changed.push('mtime');
  return changed;
}

/** Of two nodes of one type. Files that are nearly all holes have no digest, and count as other. */
function sameContent(
  { before, after, digests }: Pick<Comparison, 'before' | 'after' | 'digests'>,
  a: number,
  b: number,
): boolean {
  switch (typeOf(before, a)) {
    case typeNumber.file: {
      if (sizeOf(before, a) !== sizeOf(after, b)) return false;
      const [x, y] = [digests.at(before, a), digests.at(after, b)];
      return x !== undefined && y !== undefined && Buffer.compare(x, y) === 0;
    }
    case typeNumber.symlink:
      return Buffer.compare(linkOf(before, a), linkOf(after, b)) === 0;
    case typeNumber.char:
    case typeNumber.block:
      return deviceNumber(before, a) === deviceNumber(after, b);
    default:
      return true;
  }
}

function deviceNumber({ deviceNode, deviceMajor, deviceMinor }: RootfsTree, node: number): string {
  const row = rowOf(deviceNode, node);
  return row === -1 ? '' : `${deviceMajor[row]}:${deviceMinor[row]}`;
}

function sameTime(before: RootfsTree, a: number, after: RootfsTree, b: number): boolean {
  return (
    before.mtimeLow[a] === after.mtimeLow[b] &&
    orZero(before.mtimeHigh, a) === orZero(after.mtimeHigh, b) &&
    orZero(before.nanos, a) === orZero(after.nanos, b)
  );
}
