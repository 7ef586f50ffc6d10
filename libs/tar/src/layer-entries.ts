import { orZero } from './columns.js';

/** Types of entries as numbers, in the low bits of `kind`. */
export const typeNumber = { file: 0, directory: 1, symlink: 2, hardlink: 3, char: 4, block: 5, fifo: 6 } as const;

/** What an entry is for, by its name. `node`: itself; `aufs`: AUFS's private area, where only links may point. */
export const role = { node: 0x00, root: 0x10, aufs: 0x20, whiteout: 0x30, opaque: 0x40 } as const;

const typeBits = 0x07;
const roleBits = 0x70;
/** The content's digest was not made: too many bytes of it are holes. */
export const undigested = 0x08;
export const sparseBit = 0x80;

/**
 * The entries of one layer in the order of its tar, checked and normalised, as columns. A column that may be empty is
 * empty when all its values are zero. Tables of what is rare (links, devices, sparse maps) name the entry they are of,
 * ascending.
 */
export interface LayerEntries {
  readonly count: number;
  /** Type, role and flags. */
  readonly kind: Uint8Array;
  /** A path is the first `pathShared` bytes of the path before it, then its own bytes up to `pathEnd` in `pathText`. */
  readonly pathShared: Uint16Array;
  readonly pathEnd: Uint32Array;
  readonly pathText: Uint8Array;
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
  /** Where its header stands, in blocks of 512 bytes. Its bytes follow, but for `sparseHeadBlocks`. */
  readonly headerBlock: Uint32Array;
  /** 32 bytes for each entry: the sha256 of a file's content; zeros for what has none. */
  readonly contentDigest: Uint8Array;
  /** Number of the set of extended attributes. */
  readonly xattrs: Uint32Array;
  /** Symlinks as written, hardlinks as normalised paths. */
  readonly linkEntry: Uint32Array;
  readonly linkEnd: Uint32Array;
  readonly linkText: Uint8Array;
  readonly deviceEntry: Uint32Array;
  readonly deviceMajor: Uint32Array;
  readonly deviceMinor: Uint32Array;
  readonly sparseEntry: Uint32Array;
  /** Blocks between the header and the bytes. */
  readonly sparseHeadBlocks: Uint32Array;
  readonly sparseEnd: Uint32Array;
  readonly segmentOffset: Float64Array;
  readonly segmentLength: Float64Array;
}

export function typeOf(entries: LayerEntries, entry: number): number {
  return entries.kind[entry]! & typeBits;
}

export function roleOf(entries: LayerEntries, entry: number): number {
  return entries.kind[entry]! & roleBits;
}

export function isSparse(entries: LayerEntries, entry: number): boolean {
  return (entries.kind[entry]! & sparseBit) !== 0;
}

/** Whether `contentDigest` holds the digest of a file's content. */
export function hasDigest(entries: LayerEntries, entry: number): boolean {
  return typeOf(entries, entry) === typeNumber.file && (entries.kind[entry]! & undigested) === 0;
}

export function sizeOf(entries: LayerEntries, entry: number): number {
  return entries.sizeLow[entry]! + orZero(entries.sizeHigh, entry) * 2 ** 32;
}

/** In blocks of 512 bytes of the tar. */
export function dataBlockOf(entries: LayerEntries, entry: number): number {
  const block = entries.headerBlock[entry]! + 1;
  if (!isSparse(entries, entry)) return block;
  return block + entries.sparseHeadBlocks[rowOf(entries.sparseEntry, entry)]!;
}

/** The row of `key` in an ascending column, or -1. */
export function rowOf(column: Uint32Array, key: number): number {
  const row = lowerBound(column, key);
  return row < column.length && column[row] === key ? row : -1;
}

/** The first row that is not below `key`. */
export function lowerBound(column: Uint32Array | Float64Array, key: number, to = column.length): number {
  let low = 0;
  for (let high = to; low < high;) {
    const middle = (low + high) >>> 1;
    if (column[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The bytes of text number `row` in a heap with ends. */
export function textAt(ends: Uint32Array, text: Uint8Array, row: number): Uint8Array {
  return text.subarray(row === 0 ? 0 : ends[row - 1]!, ends[row]);
}

/** The link of an entry that has one, else no bytes. */
export function linkOf(entries: LayerEntries, entry: number): Uint8Array {
  const row = rowOf(entries.linkEntry, entry);
  return row === -1 ? noBytes : textAt(entries.linkEnd, entries.linkText, row);
}

const noBytes = new Uint8Array(0);

/** Reads the paths of a layer's entries, one after the other from the first. */
export class PathCursor {
  readonly bytes: Buffer;
  length = 0;
  entry = -1;
  readonly #entries: LayerEntries;

  constructor(entries: LayerEntries) {
    this.#entries = entries;
    this.bytes = Buffer.allocUnsafe(0x1_0000);
  }

  /** Goes to the next entry. Returns how many leading bytes its path has in common with the one before. */
  next(): number {
    const { pathShared, pathEnd, pathText } = this.#entries;
    const entry = ++this.entry;
    const shared = pathShared[entry]!;
    const from = entry === 0 ? 0 : pathEnd[entry - 1]!;
    const to = pathEnd[entry]!;
    let length = shared;
    for (let at = from; at < to; at++) this.bytes[length++] = pathText[at]!;
    this.length = length;
    return shared;
  }

  get view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}
