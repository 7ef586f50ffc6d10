import type { Steps } from '#core/in-turns';
import { limit } from '#core/limit';
import { ByteHeap } from './byte-heap.js';
import { moved, orZero, release } from './columns.js';
import { type LayerEntries, typeNumber } from './layer-entries.js';
import { impliedDirectory, type LayerTree, sourceOfLower } from './layer-tree.js';
import type { LintList } from './lint.js';
import { compareNames } from './path-name.js';
import type { PathListBuilder } from './path-list.js';
import { overLimit, type TarPlace } from './refusal.js';
import type { TreeNodes } from './tree-nodes.js';
import type { XattrSetBuilder } from './xattr-sets.js';

/** Steps of the loop that are one step of the work. */
const rowsInStep = 4096;

/** Writes a complete tree down in canonical order, and gives the nodes up. @throws LIMIT_EXCEEDED (names-too-large) */
export function* emitLayerTree(
  entries: LayerEntries,
  nodes: TreeNodes,
  root: number,
  whiteouts: PathListBuilder,
  opaques: PathListBuilder,
  xattrSets: XattrSetBuilder,
  lints: LintList,
  place: TarPlace,
): Steps<LayerTree> {
  const { slots } = nodes;
  slots.endLookups();
  const { childStart, childSlot } = childrenByDirectory(nodes);
  const rowsMax = slots.count + 1;
  const nameEnd = new Uint32Array(rowsMax);
  const subtreeEnd = new Uint32Array(rowsMax);
  const nodeOfRow = new Uint32Array(rowsMax);
  const names = new ByteHeap(slots.nameBytes);
  const uses = new Uint32Array(nodes.count);
  let rows = 0;
  const emit = (node: number): number => {
    const row = rows++;
    nodeOfRow[row] = node;
    nameEnd[row] = names.length;
    uses[node]!++;
    return row;
  };

  /** The directories in hand: their rows, and how far their children are. */
  const open: { row: number; next: number; end: number }[] = [];
  const enter = (directory: number, row: number): void => {
    const next = childStart[directory]!;
    const end = childStart[directory + 1]!;
    sortByName(nodes, childSlot.subarray(next, end));
    open.push({ row, next, end });
  };
  enter(root, emit(root));
  for (let top = open.at(-1), step = 0; top !== undefined; top = open.at(-1), step++) {
    if (step % rowsInStep === 0) yield;
    if (top.next === top.end) {
      subtreeEnd[top.row] = rows;
      open.pop();
      continue;
    }
    const slot = childSlot[top.next++]!;
    const node = slots.node[slot]!;
    const start = slots.nameStart[slot]!;
    names.append(slots.names, start, start + slots.nameLength[slot]!);
    const row = emit(node);
    if (nodes.type[node] === typeNumber.directory) enter(node, row);
    else subtreeEnd[row] = rows;
  }
  if (names.length + whiteouts.bytes + opaques.bytes > limit.layerTextBytesMax) {
    throw overLimit(
      place,
      'names-too-large',
      `the names of a layer have at most ${limit.layerTextBytesMax} bytes in all`,
    );
  }
  release(childStart, childSlot);
  lintManyLinks(nodes, uses, lints);
  yield;
  const sharedNode = Uint32Array.from(rowsOfSharedNodes(nodes, nodeOfRow, rows, uses));
  // In the place of the numbers of nodes, which are not needed any more.
  const source = new Int32Array(nodeOfRow.buffer);
  for (let row = 0; row < rows; row++) source[row] = sourceOf(nodes, nodeOfRow[row]!);
  const tree = {
    nodeCount: rows,
    nameEnd: moved(nameEnd, rows),
    names: names.take(),
    subtreeEnd: moved(subtreeEnd, rows),
    source: moved(source, rows),
    sharedNode,
    ...changedInodes(entries, nodes, uses),
    whiteouts: whiteouts.build(),
    opaques: opaques.build(),
    xattrSets: xattrSets.sets(),
  };
  release(uses);
  nodes.release();
  return tree;
}

/** The slots in use of each directory, as one list with starts. */
function childrenByDirectory({ slots, count }: TreeNodes): { childStart: Uint32Array; childSlot: Uint32Array } {
  const childStart = new Uint32Array(count + 1);
  for (let slot = 0; slot < slots.count; slot++) {
    if (slots.node[slot] !== -1) childStart[slots.directory[slot]! + 1]!++;
  }
  for (let node = 0; node < count; node++) childStart[node + 1]! += childStart[node]!;
  const childSlot = new Uint32Array(childStart[count]!);
  const next = childStart.slice();
  for (let slot = 0; slot < slots.count; slot++) {
    if (slots.node[slot] !== -1) childSlot[next[slots.directory[slot]!]!++] = slot;
  }
  release(next);
  return { childStart, childSlot };
}

/** Writers mostly walk directories in order, so looking first pays. */
function sortByName({ slots }: TreeNodes, children: Uint32Array): void {
  const { names, nameStart, nameLength } = slots;
  const compare = (a: number, b: number): number => {
    const aStart = nameStart[a]!;
    const bStart = nameStart[b]!;
    return compareNames(names, aStart, aStart + nameLength[a]!, names, bStart, bStart + nameLength[b]!);
  };
  for (let at = 1; at < children.length; at++) {
    if (compare(children[at - 1]!, children[at]!) <= 0) continue;
    children.sort(compare);
    return;
  }
}

function sourceOf(nodes: TreeNodes, node: number): number {
  const entry = nodes.entry[node]!;
  if (entry >= 0) return entry;
  return nodes.type[node] === typeNumber.directory ? impliedDirectory : sourceOfLower(nodes.from[node]!);
}

function* rowsOfSharedNodes(
  nodes: TreeNodes,
  nodeOfRow: Uint32Array,
  rows: number,
  uses: Uint32Array,
): Generator<number> {
  for (let row = 0; row < rows; row++) {
    const node = nodeOfRow[row]!;
    if (uses[node]! > 1 && nodes.type[node] !== typeNumber.directory) yield row;
  }
}

/** Inodes of this layer that a link's header has changed, by the entry that made them. */
function changedInodes(
  entries: LayerEntries,
  nodes: TreeNodes,
  uses: Uint32Array,
): Pick<LayerTree, 'changedEntry' | 'changedFrom' | 'changedXattrs'> {
  const changed: [entry: number, from: number, xattrs: number][] = [];
  for (let node = 0; node < nodes.count; node++) {
    if (uses[node] === 0 || nodes.type[node] === typeNumber.directory) continue;
    const entry = nodes.entry[node]!;
    if (entry < 0) continue;
    const isChanged = nodes.from[node] !== entry || nodes.extra[node] !== orZero(entries.xattrs, entry);
    if (isChanged) changed.push([entry, nodes.from[node]!, nodes.extra[node]!]);
  }
  changed.sort(([a], [b]) => a - b);
  return {
    changedEntry: Uint32Array.from(changed, ([entry]) => entry),
    changedFrom: Uint32Array.from(changed, ([, from]) => from),
    changedXattrs: Uint32Array.from(changed, ([, , xattrs]) => xattrs),
  };
}

function lintManyLinks(nodes: TreeNodes, uses: Uint32Array, lints: LintList): void {
  for (let node = 0; node < nodes.count; node++) {
    if (uses[node]! > limit.namesPerInodeLint && nodes.type[node] !== typeNumber.directory) {
      lints.add(
        'many-links',
        new Uint8Array(0),
        `a file has ${uses[node]} names; ext4 allows ${limit.namesPerInodeLint}`,
      );
    }
  }
}
