import { orZero } from '#tar/columns';
import { rowOf, typeNumber } from '#tar/layer-entries';
import type { CanonicalHeader } from '#tar/tar-header';
import { xattrRecords } from '#tar/xattr-sets';
import { linkOf, type RootfsTree, sizeOf, typeOf } from './rootfs-tree.js';
import type { TreePath } from './tree-path.js';

const noBytes = new Uint8Array(0);
const symlinkMode = 0o777;

/** ustar's typeflags by `typeNumber`. A tree has no hardlinks, only nodes of one inode. */
const typeflags = { file: 0x30, hardlink: 0x31, symlink: 0x32, char: 0x33, block: 0x34, directory: 0x35, fifo: 0x36 };
const typeflagOf = Object.entries(typeNumber)
  .toSorted(([, a], [, b]) => a - b)
  .map(([name]) => typeflags[name as keyof typeof typeflags]);

/**
 * Fills `header` for a node: `first` is the path of the first name of its inode when this is another one, which then
 * is written as a link with the same attributes. @see union/SPEC 4.3
 */
export function fillHeader(
  header: CanonicalHeader,
  tree: RootfsTree,
  node: number,
  path: TreePath,
  first: TreePath | null,
): void {
  const type = typeOf(tree, node);
  const isDevice = type === typeNumber.char || type === typeNumber.block;
  const device = isDevice ? rowOf(tree.deviceNode, node) : -1;
  header.path = path.bytes;
  header.pathLength = path.length;
  header.mode = type === typeNumber.symlink ? symlinkMode : tree.mode[node]!;
  header.uid = orZero(tree.uid, node);
  header.gid = orZero(tree.gid, node);
  header.mtimeLow = tree.mtimeLow[node]!;
  header.mtimeHigh = orZero(tree.mtimeHigh, node);
  header.nanos = orZero(tree.nanos, node);
  header.deviceMajor = isDevice ? tree.deviceMajor[device]! : 0;
  header.deviceMinor = isDevice ? tree.deviceMinor[device]! : 0;
  if (first !== null) {
    header.typeflag = typeflags.hardlink;
    header.link = first.bytes;
    header.linkLength = first.length;
    header.size = 0;
    header.xattrRecords = noBytes;
    return;
  }
  const link = type === typeNumber.symlink ? linkOf(tree, node) : noBytes;
  const xattrs = orZero(tree.xattrs, node);
  header.typeflag = typeflagOf[type]!;
  header.link = link;
  header.linkLength = link.length;
  header.size = sizeOf(tree, node);
  header.xattrRecords = xattrs === 0 ? noBytes : xattrRecords(tree.xattrSets, xattrs);
}
