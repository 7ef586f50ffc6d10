import {
  type Column,
  columnPieces,
  type Columns,
  decodeColumns,
  decodeColumnsInTurns,
  encodeColumns,
  type ReadColumns,
  release,
} from './columns.js';
import type { LayerEntries } from './layer-entries.js';
import type { LayerTree } from './layer-tree.js';
import type { Lints } from './lint.js';
import type { XattrSets } from './xattr-sets.js';

/** The version of the bytes below; another one is another address in the store. */
export const layerIndexVersion = 1;

/**
 * Everything about a layer but the content of its files: a function of its tar, made once, in the pass that hashes it.
 * Whoever asks about files reads this and never the tar again.
 */
export interface LayerIndex {
  readonly entries: LayerEntries;
  readonly xattrSets: XattrSets;
  /**
   * The layer's own tree; null when it depends on the tree below, because a hardlink names what the layer does not
   * have. Then it is built each time the layer is put on a stack.
   */
  readonly tree: LayerTree | null;
  /** What of the layer alone may surprise someone. */
  readonly lints: Lints;
  /** Bytes of the uncompressed tar, all that was pushed. */
  readonly tarBytes: number;
}

const format = 'varve-layer-index';

export function encodeLayerIndex(index: LayerIndex): Uint8Array {
  return encodeColumns(format, layerIndexVersion, columnsOf(index));
}

/** The same bytes in pieces, each made when it is asked for. */
export function layerIndexPieces(index: LayerIndex): Generator<Uint8Array> {
  return columnPieces(format, layerIndexVersion, columnsOf(index));
}

function columnsOf(index: LayerIndex): Columns {
  const { entries, tree } = index;
  const { count, ...entryColumns } = entries;
  const facts = Buffer.from(
    JSON.stringify({ count, tarBytes: index.tarBytes, lints: index.lints, hasTree: tree !== null }),
  );
  return {
    facts,
    ...entryColumns,
    ...index.xattrSets,
    ...(tree && treeColumns(tree)),
  };
}

/** Gives the memory of an index back now: for one that nobody else has, and nobody looks at any more. */
export function releaseLayerIndex({ entries, tree }: LayerIndex): void {
  for (const columns of [entries, tree ?? {}]) {
    release(...Object.values(columns).filter((column): column is Column => ArrayBuffer.isView(column)));
  }
}

/** @throws CORRUPT when the bytes are not those of a layer index of this version, whole and unchanged */
export function decodeLayerIndex(bytes: Uint8Array): LayerIndex {
  return read(decodeColumns(bytes, format, layerIndexVersion));
}

/** The same with turns for others. @throws CORRUPT */
export async function decodeLayerIndexInTurns(bytes: Uint8Array): Promise<LayerIndex> {
  return read(await decodeColumnsInTurns(bytes, format, layerIndexVersion));
}

function read(columns: ReadColumns): LayerIndex {
  const facts = JSON.parse(Buffer.from(columns.u8('facts')).toString()) as {
    readonly count: number;
    readonly tarBytes: number;
    readonly lints: Lints;
    readonly hasTree: boolean;
  };
  const xattrSets = { xattrEnd: columns.u32('xattrEnd'), xattrText: columns.u8('xattrText') };
  return {
    entries: readEntries(columns, facts.count),
    xattrSets,
    tree: facts.hasTree ? readTree(columns, xattrSets) : null,
    lints: facts.lints,
    tarBytes: facts.tarBytes,
  };
}

function readEntries({ u8, u16, u32, i32, f64 }: ReadColumns, count: number): LayerEntries {
  return {
    count,
    kind: u8('kind'),
    pathShared: u16('pathShared'),
    pathEnd: u32('pathEnd'),
    pathText: u8('pathText'),
    mode: u16('mode'),
    uid: u32('uid'),
    gid: u32('gid'),
    mtimeLow: u32('mtimeLow'),
    mtimeHigh: i32('mtimeHigh'),
    nanos: u32('nanos'),
    sizeLow: u32('sizeLow'),
    sizeHigh: u16('sizeHigh'),
    headerBlock: u32('headerBlock'),
    contentDigest: u8('contentDigest'),
    xattrs: u32('xattrs'),
    linkEntry: u32('linkEntry'),
    linkEnd: u32('linkEnd'),
    linkText: u8('linkText'),
    deviceEntry: u32('deviceEntry'),
    deviceMajor: u32('deviceMajor'),
    deviceMinor: u32('deviceMinor'),
    sparseEntry: u32('sparseEntry'),
    sparseHeadBlocks: u32('sparseHeadBlocks'),
    sparseEnd: u32('sparseEnd'),
    segmentOffset: f64('segmentOffset'),
    segmentLength: f64('segmentLength'),
  };
}

function treeColumns(tree: LayerTree): Columns {
  return {
    treeNameEnd: tree.nameEnd,
    treeNames: tree.names,
    treeSubtreeEnd: tree.subtreeEnd,
    treeSource: tree.source,
    treeShared: tree.sharedNode,
    treeChangedEntry: tree.changedEntry,
    treeChangedFrom: tree.changedFrom,
    treeChangedXattrs: tree.changedXattrs,
    treeWhiteoutEnd: tree.whiteouts.end,
    treeWhiteoutText: tree.whiteouts.text,
    treeOpaqueEnd: tree.opaques.end,
    treeOpaqueText: tree.opaques.text,
  };
}

function readTree({ u8, u32, i32 }: ReadColumns, xattrSets: XattrSets): LayerTree {
  const source = i32('treeSource');
  return {
    nodeCount: source.length,
    nameEnd: u32('treeNameEnd'),
    names: u8('treeNames'),
    subtreeEnd: u32('treeSubtreeEnd'),
    source,
    sharedNode: u32('treeShared'),
    changedEntry: u32('treeChangedEntry'),
    changedFrom: u32('treeChangedFrom'),
    changedXattrs: u32('treeChangedXattrs'),
    whiteouts: { end: u32('treeWhiteoutEnd'), text: u8('treeWhiteoutText') },
    opaques: { end: u32('treeOpaqueEnd'), text: u8('treeOpaqueText') },
    xattrSets,
  };
}
