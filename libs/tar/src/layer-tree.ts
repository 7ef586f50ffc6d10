import { type LayerEntries, typeNumber, typeOf } from './layer-entries.js';
import type { XattrSets } from './xattr-sets.js';

/** Paths in the order of the canonical tar, each once. */
export interface PathList {
  readonly end: Uint32Array;
  readonly text: Uint8Array;
}

/**
 * The tree one layer means by itself, and what it removes below, as columns in the order of the canonical tar: a
 * directory before its children, children by the raw bytes of their names. Node 0 is the root.
 * @see union/SPEC 4.2 step 2
 */
export interface LayerTree {
  readonly nodeCount: number;
  readonly nameEnd: Uint32Array;
  readonly names: Uint8Array;
  /** The first node behind the node and all below it. */
  readonly subtreeEnd: Uint32Array;
  /**
   * What a node is. From 0: the entry that made it (a directory: that gave it its attributes last; anything else: the
   * inode, the same number for all its hardlinks). `impliedDirectory`: a directory no entry names. Below: a node of the
   * lower tree, see `lowerNodeOf`.
   */
  readonly source: Int32Array;
  /** Nodes whose inode has several names here, ascending. */
  readonly sharedNode: Uint32Array;
  /** Inodes whose attributes come from another entry than the one that made them: from their last link's header. */
  readonly changedEntry: Uint32Array;
  readonly changedFrom: Uint32Array;
  readonly changedXattrs: Uint32Array;
  /** Removed from the tree below, whatever they are. */
  readonly whiteouts: PathList;
  /** Directories whose children in the tree below are removed. */
  readonly opaques: PathList;
  /** The sets of the layer's entries, and after them those that links made. */
  readonly xattrSets: XattrSets;
}

export const impliedDirectory = -1;

/** The node of the lower tree a source means, or -1 when it means none. */
export function lowerNodeOf(source: number): number {
  return source < impliedDirectory ? -2 - source : -1;
}

export function sourceOfLower(node: number): number {
  return -2 - node;
}

/** Whether a node of a layer's tree is a directory. */
export function isDirectory(entries: LayerEntries, source: number): boolean {
  return source === impliedDirectory || (source >= 0 && typeOf(entries, source) === typeNumber.directory);
}
