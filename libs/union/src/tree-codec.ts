import { digestFromHex, type DiffId, hexOf } from '#core/digest';
import { type Column, type Columns, decodeColumns, encodeColumns } from '#tar/columns';
import type { Lints } from '#tar/lint';
import type { RootfsTree } from './rootfs-tree.js';

/**
 * The version of the bytes below and of the tree they mean: it goes up with `unionVersion` too. Another version is
 * another address in the store.
 */
export const treeCodecVersion = 1;

const format = 'varve-tree';
const digestBytes = 32;

/** A merged tree as bytes that check themselves. */
export function encodeTree({ layers, hasRootEntry, lints, nodeCount, xattrSets, ...columns }: RootfsTree): Uint8Array {
  const facts: Facts = { hasRootEntry, lints, nodeCount };
  return encodeColumns(format, treeCodecVersion, {
    facts: Buffer.from(JSON.stringify(facts)),
    layers: Buffer.from(layers.map(hexOf).join(''), 'hex'),
    ...xattrSets,
    ...(columns satisfies Columns),
  });
}

/** @throws CORRUPT when the bytes are not those of a tree of this version, whole and unchanged */
export function decodeTree(bytes: Uint8Array): RootfsTree {
  const { u8, u16, u32, i32, f64 } = decodeColumns(bytes, format, treeCodecVersion);
  const facts = JSON.parse(Buffer.from(u8('facts')).toString()) as Facts;
  return {
    ...facts,
    layers: readLayers(u8('layers')),
    nameEnd: u32('nameEnd'),
    names: u8('names'),
    subtreeEnd: u32('subtreeEnd'),
    kind: u8('kind'),
    mode: u16('mode'),
    uid: u32('uid'),
    gid: u32('gid'),
    mtimeLow: u32('mtimeLow'),
    mtimeHigh: i32('mtimeHigh'),
    nanos: u32('nanos'),
    sizeLow: u32('sizeLow'),
    sizeHigh: u16('sizeHigh'),
    xattrs: u32('xattrs'),
    xattrSets: { xattrEnd: u32('xattrEnd'), xattrText: u8('xattrText') },
    layer: u32('layer'),
    entry: u32('entry'),
    dataBlock: u32('dataBlock'),
    linkNode: u32('linkNode'),
    linkEnd: u32('linkEnd'),
    linkText: u8('linkText'),
    deviceNode: u32('deviceNode'),
    deviceMajor: u32('deviceMajor'),
    deviceMinor: u32('deviceMinor'),
    sparseNode: u32('sparseNode'),
    sparseEnd: u32('sparseEnd'),
    segmentOffset: f64('segmentOffset'),
    segmentLength: f64('segmentLength'),
  };
}

interface Facts {
  readonly hasRootEntry: boolean;
  readonly lints: Lints;
  readonly nodeCount: number;
}

function readLayers(column: Column): DiffId[] {
  const hex = Buffer.from(column.buffer, column.byteOffset, column.byteLength).toString('hex');
  return Array.from(
    { length: column.byteLength / digestBytes },
    (_, at) => digestFromHex(hex.slice(at * digestBytes * 2, (at + 1) * digestBytes * 2)) as DiffId,
  );
}
