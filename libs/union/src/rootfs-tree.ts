import type { DiffId } from '#core/digest';
import { type Column, orZero, release } from '#tar/columns';
import { rowOf, sparseBit, textAt, typeNumber } from '#tar/layer-entries';
import { type Lints, noLints } from '#tar/lint';
import type { XattrSets } from '#tar/xattr-sets';

/**
 * The tree a stack of layers means, as columns in the order of the canonical tar: a directory before its children,
 * children by the raw bytes of their names. Node 0 is the root. It holds all attributes of every path and where its
 * bytes lie, so that no layer's index is needed to write it. Never changed once made.
 *
 * Two nodes are hardlinks of one inode when their `layer` and `entry` are equal; such nodes have `sharedBit` (so may
 * some whose other names are gone). A column that may be empty is empty when all its values are zero.
 * @see union/SPEC 4.2 "State"
 */
export interface RootfsTree {
  /** How many layers the stack has. */
  readonly depth: number;
  /** The layers that nodes are from, and perhaps some that none is from any more, oldest first; `layer` counts in it. */
  readonly layers: readonly DiffId[];
  /** The place of each of them in the stack, the lowest layer being 0. A layer may stand in a stack twice. */
  readonly layerPlaces: readonly number[];
  /** Whether some layer had an entry for the root itself. @see union/SPEC 4.3 */
  readonly hasRootEntry: boolean;
  /** What the topmost layer does to those below it and may surprise someone. */
  readonly lints: Lints;
  readonly nodeCount: number;
  readonly nameEnd: Uint32Array;
  readonly names: Uint8Array;
  /** The first node behind the node and all below it. */
  readonly subtreeEnd: Uint32Array;
  /** A type (`typeNumber`) and flags. */
  readonly kind: Uint8Array;
  readonly mode: Uint16Array;
  /** May be empty; so may `gid`, `mtimeHigh`, `nanos`, `sizeHigh`, `xattrs`. */
  readonly uid: Uint32Array;
  readonly gid: Uint32Array;
  /** Seconds since 1970 as a signed 64-bit number in two halves. */
  readonly mtimeLow: Uint32Array;
  readonly mtimeHigh: Int32Array;
  readonly nanos: Uint32Array;
  /** Bytes of content in two halves, holes counted. */
  readonly sizeLow: Uint32Array;
  readonly sizeHigh: Uint16Array;
  readonly xattrs: Uint32Array;
  readonly xattrSets: XattrSets;
  /** Where the node is from: a layer, and an entry of it (`noEntry` for a directory no entry names). */
  readonly layer: Uint32Array;
  readonly entry: Uint32Array;
  /** Where the content lies in the layer's tar, in blocks of 512 bytes. */
  readonly dataBlock: Uint32Array;
  readonly linkNode: Uint32Array;
  readonly linkEnd: Uint32Array;
  readonly linkText: Uint8Array;
  readonly deviceNode: Uint32Array;
  readonly deviceMajor: Uint32Array;
  readonly deviceMinor: Uint32Array;
  readonly sparseNode: Uint32Array;
  readonly sparseEnd: Uint32Array;
  readonly segmentOffset: Float64Array;
  readonly segmentLength: Float64Array;
}

export const typeBits = 0x07;
export const sharedBit = 0x10;
export { sparseBit };

export const noEntry = 0xffff_ffff;
export const impliedMode = 0o755;

/** The tree of a stack without layers: an empty root. */
export const emptyTree: RootfsTree = {
  depth: 0,
  layers: [],
  layerPlaces: [],
  hasRootEntry: false,
  lints: noLints,
  nodeCount: 1,
  nameEnd: new Uint32Array(1),
  names: new Uint8Array(0),
  subtreeEnd: Uint32Array.of(1),
  kind: Uint8Array.of(typeNumber.directory),
  mode: Uint16Array.of(impliedMode),
  uid: new Uint32Array(0),
  gid: new Uint32Array(0),
  mtimeLow: new Uint32Array(1),
  mtimeHigh: new Int32Array(0),
  nanos: new Uint32Array(0),
  sizeLow: new Uint32Array(1),
  sizeHigh: new Uint16Array(0),
  xattrs: new Uint32Array(0),
  xattrSets: { xattrEnd: new Uint32Array(0), xattrText: new Uint8Array(0) },
  layer: new Uint32Array(1),
  entry: Uint32Array.of(noEntry),
  dataBlock: new Uint32Array(1),
  linkNode: new Uint32Array(0),
  linkEnd: new Uint32Array(0),
  linkText: new Uint8Array(0),
  deviceNode: new Uint32Array(0),
  deviceMajor: new Uint32Array(0),
  deviceMinor: new Uint32Array(0),
  sparseNode: new Uint32Array(0),
  sparseEnd: new Uint32Array(0),
  segmentOffset: new Float64Array(0),
  segmentLength: new Float64Array(0),
};

export function typeOf(tree: RootfsTree, node: number): number {
  return tree.kind[node]! & typeBits;
}

export function isDirectory(tree: RootfsTree, node: number): boolean {
  return typeOf(tree, node) === typeNumber.directory;
}

export function sizeOf(tree: RootfsTree, node: number): number {
  return tree.sizeLow[node]! + orZero(tree.sizeHigh, node) * 2 ** 32;
}

export function nameStart(tree: RootfsTree, node: number): number {
  return node === 0 ? 0 : tree.nameEnd[node - 1]!;
}

/** A symlink's target, else no bytes. */
export function linkOf(tree: RootfsTree, node: number): Uint8Array {
  const row = rowOf(tree.linkNode, node);
  return row === -1 ? noBytes : textAt(tree.linkEnd, tree.linkText, row);
}

const noBytes = new Uint8Array(0);

/** One number for an inode; a layer has fewer than 2^21 entries. */
export function inodeKey(layer: number, entry: number): number {
  return layer * 2 ** 21 + entry;
}

/**
 * Gives the memory of a tree back now, and not when the collector comes to it: for one that nobody else has. What trees
 * share is left alone.
 */
export function releaseTree(tree: RootfsTree): void {
  release(...Object.values(tree).filter((column): column is Column => ArrayBuffer.isView(column)));
}

/** Memory the columns and the lists of layers take, in bytes; trees of one branch share the digests in the list. */
export function treeBytes(tree: RootfsTree): number {
  let bytes = tree.layers.length * 16;
  bytes += tree.xattrSets.xattrEnd.byteLength + tree.xattrSets.xattrText.byteLength;
  for (const column of Object.values(tree)) if (ArrayBuffer.isView(column)) bytes += column.byteLength;
  return bytes;
}
