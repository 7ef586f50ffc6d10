import type { DiffId } from '#core/digest';
import { orZero } from '#tar/columns';
import { compareNames } from '#tar/path-name';
import { xattrRecords } from '#tar/xattr-sets';
import { isDirectory, nameStart, noEntry, type RootfsTree } from '#union/rootfs-tree';

/** A path that may be other in two trees. -1 where a tree does not have it. `path` is a copy. */
export interface NodePair {
  readonly path: Buffer;
  readonly before: number;
  readonly after: number;
}

/** Two ranges of siblings that are walked side by side. */
interface Frame {
  before: number;
  readonly beforeEnd: number;
  after: number;
  readonly afterEnd: number;
  readonly path: Buffer;
}

/**
 * The paths at or below `start` that are not plainly equal in both trees, in the order of the canonical tar: one merge
 * over the columns, and nothing is made for a path that is the same entry of the same layer with the same attributes.
 */
export function* unequalNodes(before: RootfsTree, after: RootfsTree, start: NodePair): Generator<NodePair> {
  const isEqual = equality(before, after);
  if (start.before < 0 || start.after < 0 || !isEqual(start.before, start.after)) yield start;
  const frames: Frame[] = [];
  enter(frames, before, after, start);
  for (let frame = frames.at(-1); frame; frame = frames.at(-1)) {
    const order = nextOrder(frame, before, after);
    if (order === undefined) {
      frames.pop();
      continue;
    }
    const a = order <= 0 ? frame.before : -1;
    const b = order >= 0 ? frame.after : -1;
    if (a >= 0) frame.before = before.subtreeEnd[a]!;
    if (b >= 0) frame.after = after.subtreeEnd[b]!;
    const isSame = a >= 0 && b >= 0 && isEqual(a, b);
    const isLeaf = !hasChildren(before, a) && !hasChildren(after, b);
    if (isSame && isLeaf) continue;
    const path = a >= 0 ? childPath(frame.path, before, a) : childPath(frame.path, after, b);
    if (!isSame) yield { path, before: a, after: b };
    if (!isLeaf) enter(frames, before, after, { path, before: a, after: b });
  }
}

function enter(frames: Frame[], before: RootfsTree, after: RootfsTree, { path, ...pair }: NodePair): void {
  frames.push({
    path,
    before: pair.before + 1,
    beforeEnd: hasChildren(before, pair.before) ? before.subtreeEnd[pair.before]! : 0,
    after: pair.after + 1,
    afterEnd: hasChildren(after, pair.after) ? after.subtreeEnd[pair.after]! : 0,
  });
}

/** Below 0: the next name is the tree's before, above: the one's after, 0: both have it. Undefined at the end. */
function nextOrder(frame: Frame, before: RootfsTree, after: RootfsTree): number | undefined {
  if (frame.before >= frame.beforeEnd) return frame.after < frame.afterEnd ? 1 : undefined;
  if (frame.after >= frame.afterEnd) return -1;
  return orderOfNames(before, frame.before, after, frame.after);
}

function orderOfNames(a: RootfsTree, nodeA: number, b: RootfsTree, nodeB: number): number {
  return compareNames(a.names, nameStart(a, nodeA), a.nameEnd[nodeA]!, b.names, nameStart(b, nodeB), b.nameEnd[nodeB]!);
}

function hasChildren(tree: RootfsTree, node: number): boolean {
  return node >= 0 && isDirectory(tree, node) && tree.subtreeEnd[node]! > node + 1;
}

function childPath(parent: Buffer, tree: RootfsTree, node: number): Buffer {
  const name = tree.names.subarray(nameStart(tree, node), tree.nameEnd[node]);
  return parent.length === 0 ? Buffer.from(name) : Buffer.concat([parent, slash, name]);
}

const slash = Buffer.from('/');

/** Tells whether two nodes are the same entry of the same layer with the same attributes. */
function equality(before: RootfsTree, after: RootfsTree): (a: number, b: number) => boolean {
  const isSameSource = sourceEquality(before, after);
  return (a, b) =>
    isSameSource(a, b) &&
    before.kind[a] === after.kind[b] &&
    before.mtimeLow[a] === after.mtimeLow[b] &&
    orZero(before.mtimeHigh, a) === orZero(after.mtimeHigh, b) &&
    orZero(before.nanos, a) === orZero(after.nanos, b) &&
    sameMetadata(before, a, after, b);
}

/** Whether two nodes have their content from one entry of one layer; directories that nothing names are alike. */
export function sourceEquality(before: RootfsTree, after: RootfsTree): (a: number, b: number) => boolean {
  const numbers = new Map<DiffId, number>(before.layers.map((diffId, layer) => [diffId, layer]));
  // One layer may stand twice in a stack; any number that means the same bytes will do.
  const numberBefore = before.layers.map((diffId) => numbers.get(diffId)!);
  const numberAfter = after.layers.map((diffId) => numbers.get(diffId) ?? -1);
  return (a, b) => {
    if (before.entry[a] !== after.entry[b]) return false;
    return before.entry[a] === noEntry || numberBefore[before.layer[a]!] === numberAfter[after.layer[b]!];
  };
}

/** Mode, owner and extended attributes; not times. */
export function sameMetadata(before: RootfsTree, a: number, after: RootfsTree, b: number): boolean {
  return (
    before.mode[a] === after.mode[b] &&
    orZero(before.uid, a) === orZero(after.uid, b) &&
    orZero(before.gid, a) === orZero(after.gid, b) &&
    sameXattrs(before, a, after, b)
  );
}

export function sameXattrs(before: RootfsTree, a: number, after: RootfsTree, b: number): boolean {
  const [x, y] = [orZero(before.xattrs, a), orZero(after.xattrs, b)];
  if (x === 0 || y === 0) return x === y;
  return Buffer.compare(xattrRecords(before.xattrSets, x), xattrRecords(after.xattrSets, y)) === 0;
}
