import type { DiffId } from '#core/digest';
import { VarveError } from '#core/error';
import { limit } from '#core/limit';
import { ByteHeap } from '#tar/byte-heap';
import { type Column, orZero, zeroColumnIsEmpty } from '#tar/columns';
import { dataBlockOf, linkOf, lowerBound, rowOf, sizeOf, textAt, typeNumber, typeOf } from '#tar/layer-entries';
import type { LayerEntries } from '#tar/layer-entries';
import { impliedDirectory, type LayerTree, lowerNodeOf } from '#tar/layer-tree';
import type { Lints } from '#tar/lint';
import { impliedMode, inodeKey, nameStart, noEntry, type RootfsTree, sharedBit, sparseBit } from './rootfs-tree.js';
import { LayerNumbers } from './layer-numbers.js';
import { MergedXattrs } from './merged-xattrs.js';

/** Writes the rows of a merged tree, taking them from the tree below or from the layer on top of it. */
export class RootfsTreeBuilder {
  readonly #lower: RootfsTree;
  readonly #entries: LayerEntries;
  readonly #upper: LayerTree;
  readonly #layers: LayerNumbers;
  readonly #columns: MutableColumns;
  readonly #names = new ByteHeap();
  readonly #xattrs: MergedXattrs;
  readonly #links = new ByteHeap();
  readonly #linkNode: number[] = [];
  readonly #linkEnd: number[] = [];
  readonly #devices: [node: number[], major: number[], minor: number[]] = [[], [], []];
  readonly #sparse: [node: number[], end: number[]] = [[], []];
  readonly #segmentOffset: number[] = [];
  readonly #segmentLength: number[] = [];
  /** Nodes below that got another name from the layer. */
  readonly #linkedBelow = new Set<number>();
  rows = 0;

  constructor(lower: RootfsTree, entries: LayerEntries, upper: LayerTree, diffId: DiffId) {
    this.#lower = lower;
    this.#entries = entries;
    this.#upper = upper;
    this.#layers = new LayerNumbers(lower, diffId);
    this.#columns = newColumns(lower, entries, lower.nodeCount + upper.nodeCount);
    this.#xattrs = new MergedXattrs(lower.xattrSets, upper.xattrSets);
  }

  /** Copies the nodes `[from, to)` of the tree below: whole subtrees, or one directory that `close` ends. */
  copyLower(from: number, to: number): number {
    const lower = this.#lower;
    const columns = this.#columns;
    const row = this.rows;
    const shift = row - from;
    for (const name of copied) copyRange(columns[name], row, lower[name], from, to);
    const namesFrom = nameStart(lower, from);
    const nameShift = this.#names.length - namesFrom;
    this.#names.append(lower.names, namesFrom, lower.nameEnd[to - 1]);
    for (let node = from; node < to; node++) {
      columns.nameEnd[node + shift] = lower.nameEnd[node]! + nameShift;
      columns.subtreeEnd[node + shift] = lower.subtreeEnd[node]! + shift;
    }
    this.#copyRare(from, to, shift);
    this.rows += to - from;
    return row;
  }

  /** Copies the nodes `[from, to)` of the layer's tree: whole subtrees, or one directory that `close` ends. */
  copyUpper(from: number, to: number): number {
    const row = this.rows;
    for (let node = from; node < to; node++) {
      this.#addUpper(node);
      this.#columns.subtreeEnd[row + node - from] = this.#upper.subtreeEnd[node]! + row - from;
    }
    return row;
  }

  /** Ends the subtree of a directory. */
  close(row: number): void {
    this.#columns.subtreeEnd[row] = this.rows;
  }

  /** The name of a row that was written. */
  nameOf(row: number): Uint8Array {
    return this.#names.bytes.subarray(row === 0 ? 0 : this.#columns.nameEnd[row - 1]!, this.#columns.nameEnd[row]);
  }

  /** @throws LIMIT_EXCEEDED */
  build(hasRootEntry: boolean, lints: Lints): RootfsTree {
    const { rows } = this;
    this.#checkSize();
    this.#markLinkedBelow();
    const columns = this.#columns;
    const layerColumn = exact(columns.layer, rows);
    const xattrs = zeroColumnIsEmpty(columns.xattrs, rows, isZero(columns.xattrs));
    const mayBeEmpty = <T extends Column>(column: T): T => zeroColumnIsEmpty(column, rows, isZero(column));
    return {
      ...this.#layers.of(layerColumn),
      hasRootEntry,
      lints,
      nodeCount: rows,
      nameEnd: exact(columns.nameEnd, rows),
      names: this.#names.take(),
      subtreeEnd: exact(columns.subtreeEnd, rows),
      kind: exact(columns.kind, rows),
      mode: exact(columns.mode, rows),
      uid: mayBeEmpty(columns.uid),
      gid: mayBeEmpty(columns.gid),
      mtimeLow: exact(columns.mtimeLow, rows),
      mtimeHigh: mayBeEmpty(columns.mtimeHigh),
      nanos: mayBeEmpty(columns.nanos),
      sizeLow: exact(columns.sizeLow, rows),
      sizeHigh: mayBeEmpty(columns.sizeHigh),
      xattrs,
      xattrSets: this.#xattrs.setsOf(xattrs),
      layer: layerColumn,
      entry: exact(columns.entry, rows),
      dataBlock: exact(columns.dataBlock, rows),
      linkNode: Uint32Array.from(this.#linkNode),
      linkEnd: Uint32Array.from(this.#linkEnd),
      linkText: this.#links.take(),
      deviceNode: Uint32Array.from(this.#devices[0]),
      deviceMajor: Uint32Array.from(this.#devices[1]),
      deviceMinor: Uint32Array.from(this.#devices[2]),
      sparseNode: Uint32Array.from(this.#sparse[0]),
      sparseEnd: Uint32Array.from(this.#sparse[1]),
      segmentOffset: Float64Array.from(this.#segmentOffset),
      segmentLength: Float64Array.from(this.#segmentLength),
    };
  }

  #addUpper(node: number): void {
    const upper = this.#upper;
    const row = this.rows;
    const start = node === 0 ? 0 : upper.nameEnd[node - 1]!;
    const source = upper.source[node]!;
    const below = lowerNodeOf(source);
    if (below !== -1) this.#addLinkedBelow(below);
    else if (source === impliedDirectory) this.#addImplied();
    else this.#addEntry(source, rowOf(upper.sharedNode, node) !== -1);
    this.#names.append(upper.names, start, upper.nameEnd[node]);
    this.#columns.nameEnd[row] = this.#names.length;
  }

  #addImplied(): void {
    const columns = this.#columns;
    const row = this.rows++;
    columns.kind[row] = typeNumber.directory;
    columns.mode[row] = impliedMode;
    columns.layer[row] = this.#layers.top;
    columns.entry[row] = noEntry;
  }

  /** Another name for a node of the tree below, with all its attributes. */
  #addLinkedBelow(below: number): void {
    const row = this.rows++;
    for (const name of copied) copyRange(this.#columns[name], row, this.#lower[name], below, below + 1);
    this.#copyRare(below, below + 1, row - below);
    this.#linkedBelow.add(below);
  }

  #addEntry(entry: number, isShared: boolean): void {
    const entries = this.#entries;
    const columns = this.#columns;
    const row = this.rows++;
    const changed = rowOf(this.#upper.changedEntry, entry);
    const attributes = changed === -1 ? entry : this.#upper.changedFrom[changed]!;
    const xattrs = changed === -1 ? orZero(entries.xattrs, entry) : this.#upper.changedXattrs[changed]!;
    const type = typeOf(entries, entry);
    columns.kind[row] = type | (entries.kind[entry]! & sparseBit) | (isShared ? sharedBit : 0);
    columns.mode[row] = entries.mode[attributes]!;
    if (entries.uid.length > 0) columns.uid[row] = entries.uid[attributes]!;
    if (entries.gid.length > 0) columns.gid[row] = entries.gid[attributes]!;
    columns.mtimeLow[row] = entries.mtimeLow[attributes]!;
    if (entries.mtimeHigh.length > 0) columns.mtimeHigh[row] = entries.mtimeHigh[attributes]!;
    if (entries.nanos.length > 0) columns.nanos[row] = entries.nanos[attributes]!;
    columns.sizeLow[row] = entries.sizeLow[entry]!;
    if (entries.sizeHigh.length > 0) columns.sizeHigh[row] = entries.sizeHigh[entry]!;
    if (xattrs > 0) columns.xattrs[row] = this.#xattrs.ofUpper(xattrs);
    columns.layer[row] = this.#layers.top;
    columns.entry[row] = entry;
    if (sizeOf(entries, entry) > 0) columns.dataBlock[row] = dataBlockOf(entries, entry);
    this.#addRare(row, entry, type);
  }

  #addRare(row: number, entry: number, type: number): void {
    const entries = this.#entries;
    if (type === typeNumber.symlink) this.#addLink(row, linkOf(entries, entry));
    if (type === typeNumber.char || type === typeNumber.block) {
      const device = rowOf(entries.deviceEntry, entry);
      this.#addDevice(row, entries.deviceMajor[device]!, entries.deviceMinor[device]!);
    }
    if ((entries.kind[entry]! & sparseBit) === 0) return;
    const sparse = rowOf(entries.sparseEntry, entry);
    this.#addSparse(row, sparse === 0 ? 0 : entries.sparseEnd[sparse - 1]!, entries.sparseEnd[sparse]!, entries);
  }

  #copyRare(from: number, to: number, shift: number): void {
    const { linkNode, linkEnd, linkText, deviceNode, deviceMajor, deviceMinor, sparseNode, sparseEnd } = this.#lower;
    for (let at = lowerBound(linkNode, from); at < linkNode.length && linkNode[at]! < to; at++) {
      this.#addLink(linkNode[at]! + shift, textAt(linkEnd, linkText, at));
    }
    for (let at = lowerBound(deviceNode, from); at < deviceNode.length && deviceNode[at]! < to; at++) {
      this.#addDevice(deviceNode[at]! + shift, deviceMajor[at]!, deviceMinor[at]!);
    }
    for (let at = lowerBound(sparseNode, from); at < sparseNode.length && sparseNode[at]! < to; at++) {
      this.#addSparse(sparseNode[at]! + shift, at === 0 ? 0 : sparseEnd[at - 1]!, sparseEnd[at]!, this.#lower);
    }
  }

  #addLink(row: number, link: Uint8Array): void {
    this.#links.append(link);
    this.#linkNode.push(row);
    this.#linkEnd.push(this.#links.length);
  }

  #addDevice(row: number, major: number, minor: number): void {
    this.#devices[0].push(row);
    this.#devices[1].push(major);
    this.#devices[2].push(minor);
  }

  #addSparse(row: number, from: number, to: number, source: Pick<RootfsTree, 'segmentOffset' | 'segmentLength'>): void {
    for (let at = from; at < to; at++) {
      this.#segmentOffset.push(source.segmentOffset[at]!);
      this.#segmentLength.push(source.segmentLength[at]!);
    }
    this.#sparse[0].push(row);
    this.#sparse[1].push(this.#segmentOffset.length);
  }

  /** An inode below that got a name from the layer has several now, wherever its other names went. */
  #markLinkedBelow(): void {
    if (this.#linkedBelow.size === 0) return;
    const { layer, entry, kind } = this.#columns;
    const linked = new Set(
      [...this.#linkedBelow].map((node) => inodeKey(this.#lower.layer[node]!, this.#lower.entry[node]!)),
    );
    for (let row = 0; row < this.rows; row++) {
      if (entry[row] !== noEntry && linked.has(inodeKey(layer[row]!, entry[row]!))) kind[row]! |= sharedBit;
    }
  }

  #checkSize(): void {
    const textBytes = this.#names.length + this.#links.length;
    if (this.rows <= limit.entriesPerTreeMax && textBytes <= limit.treeTextBytesMax) return;
    throw new VarveError(
      'LIMIT_EXCEEDED',
      `the tree of ${this.#lower.depth + 1} layers has ${this.rows} paths and ${textBytes} bytes of names; the limits are ${limit.entriesPerTreeMax} and ${limit.treeTextBytesMax}`,
      { rule: 'tree-too-large', paths: this.rows, nameBytes: textBytes },
    );
  }
}

/** Columns that are copied as they are. */
const copied = [
  'kind',
  'mode',
  'uid',
  'gid',
  'mtimeLow',
  'mtimeHigh',
  'nanos',
  'sizeLow',
  'sizeHigh',
  'xattrs',
  'layer',
  'entry',
  'dataBlock',
] as const;

type MutableColumns = Pick<RootfsTree, (typeof copied)[number] | 'nameEnd' | 'subtreeEnd'>;

function newColumns(lower: RootfsTree, entries: LayerEntries, rows: number): MutableColumns {
  const rowsIf = (isUsed: boolean): number => (isUsed ? rows : 0);
  const hasXattrs = lower.xattrs.length > 0 || entries.xattrs.length > 0;
  return {
    nameEnd: new Uint32Array(rows),
    subtreeEnd: new Uint32Array(rows),
    kind: new Uint8Array(rows),
    mode: new Uint16Array(rows),
    uid: new Uint32Array(rowsIf(lower.uid.length > 0 || entries.uid.length > 0)),
    gid: new Uint32Array(rowsIf(lower.gid.length > 0 || entries.gid.length > 0)),
    mtimeLow: new Uint32Array(rows),
    mtimeHigh: new Int32Array(rowsIf(lower.mtimeHigh.length > 0 || entries.mtimeHigh.length > 0)),
    nanos: new Uint32Array(rowsIf(lower.nanos.length > 0 || entries.nanos.length > 0)),
    sizeLow: new Uint32Array(rows),
    sizeHigh: new Uint16Array(rowsIf(lower.sizeHigh.length > 0 || entries.sizeHigh.length > 0)),
    xattrs: new Uint32Array(rowsIf(hasXattrs)),
    layer: new Uint32Array(rows),
    entry: new Uint32Array(rows),
    dataBlock: new Uint32Array(rows),
  };
}

function copyRange(target: Column, at: number, source: Column, from: number, to: number): void {
  if (source.length === 0) return;
  if (to - from > 16) target.set(source.subarray(from, to), at);
  else for (let node = from, row = at; node < to; node++, row++) target[row] = source[node]!;
}

function isZero(column: Column): boolean {
  for (let row = 0; row < column.length; row++) if (column[row] !== 0) return false;
  return true;
}

/** A column of exactly these rows; what little is over is not worth a copy. */
function exact<T extends Column>(column: T, rows: number): T {
  return (column.length - rows > rows / 16 ? column.slice(0, rows) : column.subarray(0, rows)) as T;
}
