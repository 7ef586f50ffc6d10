import { VarveError } from '#core/error';
import { atOnce, inTurns, type Steps } from '#core/in-turns';
import { limit } from '#core/limit';
import { rowOf } from '#tar/layer-entries';
import { headerBytes, newHeader, padded } from '#tar/tar-header';
import { fillHeader } from './node-header.js';
import { inodeKey, type RootfsTree, sharedBit } from './rootfs-tree.js';
import { TreePath } from './tree-path.js';

/** The version of the rules that say which tree a stack means. @see union/SPEC 4.2 */
export const unionVersion = 1;
/** The version of the bytes the writer makes of a tree. @see union/SPEC 4.3 */
export const writerVersion = 1;

/**
 * Where everything stands in the canonical tar of a tree, down to its length, without one byte of it being read. A
 * function of the tree alone. @see union/SPEC 4.3
 */
export interface RootfsPlan {
  readonly tree: RootfsTree;
  /** Bytes of the whole tar. */
  readonly length: number;
  /** Entries in the tar; the root counts when it has one. */
  readonly entryCount: number;
  /** Where each node's header begins, in blocks of 512 bytes; after the last one, where the end blocks do. */
  readonly startBlock: Uint32Array;
  /** The directory of each node. */
  readonly parent: Uint32Array;
  /** Nodes that are written as links, ascending, and the first node of the same inode. */
  readonly linkedNode: Uint32Array;
  readonly firstNode: Uint32Array;
}

const blockBytes = 512;
const endBlocks = 2;

/** Nodes that are one step of the work. */
const nodesInStep = 4096;

const plans = new WeakMap<RootfsTree, RootfsPlan>();
const underway = new WeakMap<RootfsTree, Promise<RootfsPlan>>();
let made = 0;

/** How many plans this process has made: equal requests share one. */
export function plansMade(): number {
  return made;
}

/** The plan of a tree; made once for each tree. @throws LIMIT_EXCEEDED when the tar would be larger than we write */
export function planRootfs(tree: RootfsTree): RootfsPlan {
  return plans.get(tree) ?? keep(tree, atOnce(planSteps(tree)));
}

/** The same with turns for others; calls at one time share it. @throws LIMIT_EXCEEDED */
export function planRootfsInTurns(tree: RootfsTree): Promise<RootfsPlan> {
  const known = plans.get(tree);
  if (known) return Promise.resolve(known);
  const sooner = underway.get(tree);
  if (sooner) return sooner;
  const planning = inTurns(planSteps(tree))
    .then((plan) => keep(tree, plan))
    .finally(() => underway.delete(tree));
  underway.set(tree, planning);
  return planning;
}

function keep(tree: RootfsTree, plan: RootfsPlan): RootfsPlan {
  made++;
  plans.set(tree, plan);
  return plan;
}

/** The first node of the inode when a node is written as a link, else -1. */
export function firstNodeOf(plan: RootfsPlan, node: number): number {
  if ((plan.tree.kind[node]! & sharedBit) === 0) return -1;
  const row = rowOf(plan.linkedNode, node);
  return row === -1 ? -1 : plan.firstNode[row]!;
}

/** The first node the tar has: the root only when it has an entry. */
export function firstWritten(tree: RootfsTree): number {
  return tree.hasRootEntry ? 0 : 1;
}

function* planSteps(tree: RootfsTree): Steps<RootfsPlan> {
  const { nodeCount } = tree;
  const startBlock = new Uint32Array(nodeCount + 1);
  const parent = new Uint32Array(nodeCount);
  const firstOfInode = new Map<number, number>();
  const linkedNode: number[] = [];
  const firstNode: number[] = [];
  const path = new TreePath(tree, parent);
  const firstPath = new TreePath(tree, parent);
  const header = newHeader();
  let blocks = 0;
  for (let node = 0; node < nodeCount; node++) {
    if (node % nodesInStep === nodesInStep - 1) yield;
    startBlock[node] = blocks;
    path.go(node);
    parent[node] = path.parent;
    if (node < firstWritten(tree)) continue;
    const first = firstName(tree, node, firstOfInode);
    if (first !== -1) {
      linkedNode.push(node);
      firstNode.push(first);
      firstPath.go(first);
    }
    fillHeader(header, tree, node, path, first === -1 ? null : firstPath);
    blocks += (headerBytes(header) + padded(header.size)) / blockBytes;
    if (blocks * blockBytes > limit.treeBytesMax) throw tooLarge(tree);
  }
  startBlock[nodeCount] = blocks;
  return {
    tree,
    length: (blocks + endBlocks) * blockBytes,
    entryCount: nodeCount - firstWritten(tree),
    startBlock,
    parent,
    linkedNode: Uint32Array.from(linkedNode),
    firstNode: Uint32Array.from(firstNode),
  };
}

/** An earlier node of the same inode, or -1; remembers the first. */
function firstName(tree: RootfsTree, node: number, firstOfInode: Map<number, number>): number {
  if ((tree.kind[node]! & sharedBit) === 0) return -1;
  const inode = inodeKey(tree.layer[node]!, tree.entry[node]!);
  const first = firstOfInode.get(inode);
  if (first === undefined) firstOfInode.set(inode, node);
  return first ?? -1;
}

function tooLarge(tree: RootfsTree): VarveError {
  return new VarveError(
    'LIMIT_EXCEEDED',
    `the tar of a tree of ${tree.nodeCount} paths is over the limit of ${limit.treeBytesMax} bytes`,
    { rule: 'tree-too-large', limitBytes: limit.treeBytesMax },
  );
}
