import { orZero } from '#tar/columns';
import {
  hasDigest,
  type LayerEntries,
  linkOf,
  PathCursor,
  role,
  roleOf,
  rowOf,
  sizeOf,
  typeNumber,
  typeOf,
} from '#tar/layer-entries';
import type { LayerIndex } from '#tar/layer-index';
import { xattrsOf } from '#tar/xattr-sets';
import { digestOfBytes } from './content-digests.js';
import { secondsOf, type TreeEntry, typeNames } from './tree-entry.js';

/** What an entry of a layer is for: itself, or to hide something below. `aufs`: AUFS's private area. */
export type LayerRole = 'node' | 'whiteout' | 'opaque' | 'aufs';

/** One entry of a layer as it stands in its tar. `path` is normalised; a marker has the name that marks it. */
export interface LayerEntry extends Omit<TreeEntry, 'layer'> {
  readonly role: LayerRole;
  /** Byte of the tar at which its header stands. */
  readonly offset: number;
}

const blockBytes = 512;
const digestBytes = 32;
const roleNames = new Map<number, LayerRole>([
  [role.whiteout, 'whiteout'],
  [role.opaque, 'opaque'],
  [role.aufs, 'aufs'],
]);

/** The entries of a layer in the order of its tar, markers too. Answered by the index alone. */
export function* layerEntries(index: LayerIndex): Generator<LayerEntry> {
  const cursor = new PathCursor(index.entries);
  for (let entry = 0; entry < index.entries.count; entry++) {
    cursor.next();
    yield layerEntryOf(index, entry, Buffer.from(cursor.view));
  }
}

export function layerEntryOf({ entries, xattrSets }: LayerIndex, entry: number, path: Buffer): LayerEntry {
  const type = typeNames[typeOf(entries, entry)]!;
  const link = linkOf(entries, entry);
  const xattrs = orZero(entries.xattrs, entry);
  const hasLink = type === 'symlink' || type === 'hardlink';
  return {
    path,
    role: roleNames.get(roleOf(entries, entry)) ?? 'node',
    type,
    sizeBytes: type === 'file' ? sizeOf(entries, entry) : 0,
    mode: entries.mode[entry]!,
    uid: orZero(entries.uid, entry),
    gid: orZero(entries.gid, entry),
    mtimeSeconds: secondsOf(orZero(entries.mtimeHigh, entry), entries.mtimeLow[entry]!),
    mtimeNanos: orZero(entries.nanos, entry),
    link: hasLink ? Buffer.from(link) : null,
    device: deviceOf(entries, entry),
    xattrs: xattrs === 0 ? new Map() : xattrsOf(xattrSets, xattrs),
    sha256: hasDigest(entries, entry)
      ? digestOfBytes(entries.contentDigest.subarray(entry * digestBytes, (entry + 1) * digestBytes))
      : null,
    offset: entries.headerBlock[entry]! * blockBytes,
  };
}

/** The last entry with a path, as extracting would leave it; -1 when there is none. Markers are found by their names. */
export function lastEntryAt(entries: LayerEntries, path: Uint8Array): number {
  const cursor = new PathCursor(entries);
  let found = -1;
  for (let entry = 0; entry < entries.count; entry++) {
    cursor.next();
    if (cursor.length === path.length && Buffer.compare(cursor.view, path) === 0) found = entry;
  }
  return found;
}

function deviceOf(entries: LayerEntries, entry: number): LayerEntry['device'] {
  const type = typeOf(entries, entry);
  if (type !== typeNumber.char && type !== typeNumber.block) return null;
  const row = rowOf(entries.deviceEntry, entry);
  return { major: entries.deviceMajor[row] ?? 0, minor: entries.deviceMinor[row] ?? 0 };
}
