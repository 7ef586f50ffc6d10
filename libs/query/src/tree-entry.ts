import type { Digest, DiffId } from '#core/digest';
import { orZero } from '#tar/columns';
import { rowOf, typeNumber } from '#tar/layer-entries';
import type { EntryType } from '#tar/tar-entry';
import { xattrsOf } from '#tar/xattr-sets';
import { linkOf, noEntry, type RootfsTree, sizeOf, typeOf } from '#union/rootfs-tree';

/** One path of a union tree with everything that is known of it. */
export interface TreeEntry {
  /** Raw bytes, relative to the root; none for the root. */
  readonly path: Buffer;
  readonly type: EntryType;
  readonly sizeBytes: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: bigint;
  readonly mtimeNanos: number;
  /** The target of a symlink as written; in a layer alone also the path that a hardlink names. */
  readonly link: Buffer | null;
  readonly device: { readonly major: number; readonly minor: number } | null;
  /** By name as latin1. */
  readonly xattrs: ReadonlyMap<string, Buffer>;
  /** Of a file's content; null for files that are nearly all holes. */
  readonly sha256: Digest | null;
  /** Where it is from; null for a directory that no layer has an entry for. */
  readonly layer: DiffId | null;
}

/** The words for the numbers that columns hold. */
export const typeNames = Object.keys(typeNumber) as readonly EntryType[];

const noXattrs: ReadonlyMap<string, Buffer> = new Map();

export function entryOf(tree: RootfsTree, node: number, path: Buffer, sha256: Digest | null): TreeEntry {
  const type = typeNames[typeOf(tree, node)]!;
  const xattrs = orZero(tree.xattrs, node);
  return {
    path,
    type,
    sizeBytes: type === 'file' ? sizeOf(tree, node) : 0,
    mode: tree.mode[node]!,
    uid: orZero(tree.uid, node),
    gid: orZero(tree.gid, node),
    mtimeSeconds: secondsOf(orZero(tree.mtimeHigh, node), tree.mtimeLow[node]!),
    mtimeNanos: orZero(tree.nanos, node),
    link: type === 'symlink' ? Buffer.from(linkOf(tree, node)) : null,
    device: deviceOf(tree, node),
    xattrs: xattrs === 0 ? noXattrs : xattrsOf(tree.xattrSets, xattrs),
    sha256,
    layer: tree.entry[node] === noEntry ? null : (tree.layers[tree.layer[node]!] ?? null),
  };
}

/** A signed 64-bit number from its two halves. */
export function secondsOf(high: number, low: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}

function deviceOf({ deviceNode, deviceMajor, deviceMinor }: RootfsTree, node: number): TreeEntry['device'] {
  const row = rowOf(deviceNode, node);
  return row === -1 ? null : { major: deviceMajor[row]!, minor: deviceMinor[row]! };
}
