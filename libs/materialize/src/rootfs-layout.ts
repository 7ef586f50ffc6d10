import type { DiffId } from '#core/digest';
import { rowOf } from '#tar/layer-entries';
import { newHeader, padded, writeHeader } from '#tar/tar-header';
import { fillHeader } from '#union/node-header';
import { firstNodeOf, firstWritten, type RootfsPlan } from '#union/rootfs-plan';
import { type RootfsTree, sizeOf, sparseBit } from '#union/rootfs-tree';
import { TreePath } from '#union/tree-path';

const blockBytes = 512;

/** Content that belongs into a chunk: `length` bytes of a layer's tar from `position` on, to stand at `at`. */
export interface BodyPiece {
  readonly diffId: DiffId;
  /** Whose content it is, and where in that the piece begins, holes left out. */
  readonly entry: number;
  readonly offset: number;
  readonly position: number;
  readonly at: number;
  readonly length: number;
}

/**
 * Lays out any stretch of the canonical tar of a plan: says which content goes where, and writes all the rest.
 * @see union/SPEC 4.3
 */
export class RootfsLayout {
  readonly #plan: RootfsPlan;
  readonly #tree: RootfsTree;
  readonly #path: TreePath;
  readonly #firstPath: TreePath;
  readonly #header = newHeader();

  constructor(plan: RootfsPlan) {
    this.#plan = plan;
    this.#tree = plan.tree;
    this.#path = new TreePath(plan.tree, plan.parent);
    this.#firstPath = new TreePath(plan.tree, plan.parent);
  }

  /** The content in the bytes `[from, to)` of the tar, in the order of the tar. */
  pieces(from: number, to: number): BodyPiece[] {
    const found: BodyPiece[] = [];
    const { tree } = this.#plan;
    this.#eachBody(from, to, (node, stored, start, length) => {
      const first = Math.max(start, from);
      const end = Math.min(start + length, to);
      if (first >= end) return;
      const diffId = tree.layers[tree.layer[node]!]!;
      const offset = stored + first - start;
      const position = tree.dataBlock[node]! * blockBytes + offset;
      found.push({ diffId, entry: tree.entry[node]!, offset, position, at: first - from, length: end - first });
    });
    return found;
  }

  /** Writes into `chunk` what the tar has from `from` on, but for the content: headers, and zeros everywhere else. */
  writeAround(chunk: Buffer, from: number): void {
    const to = from + chunk.length;
    const zeros = (start: number, end: number): void => {
      if (start < to && end > from) chunk.fill(0, Math.max(0, start - from), Math.min(end, to) - from);
    };
    let zerosFrom = 0;
    for (let node = this.#nodeAt(from); node < this.#tree.nodeCount && this.#startOf(node) < to; node++) {
      const bodyAt = this.#bodyAt(node);
      if (bodyAt > from) this.#writeHeader(node, bodyAt - this.#startOf(node), chunk, this.#startOf(node) - from);
      zerosFrom = bodyAt;
      this.#eachSegment(node, bodyAt, (_, __, start, length) => {
        zeros(zerosFrom, start);
        zerosFrom = start + length;
      });
      zeros(zerosFrom, this.#startOf(node + 1));
    }
    zeros(this.#startOf(this.#tree.nodeCount), this.#plan.length);
  }

  #eachBody(from: number, to: number, tell: TellSegment): void {
    for (let node = this.#nodeAt(from); node < this.#tree.nodeCount && this.#startOf(node) < to; node++) {
      this.#eachSegment(node, this.#bodyAt(node), tell);
    }
  }

  /** The stored stretches of a node's content: one, or those of a sparse file. */
  #eachSegment(node: number, bodyAt: number, tell: TellSegment): void {
    const size = this.#contentBytes(node);
    if (size === 0) return;
    if ((this.#tree.kind[node]! & sparseBit) === 0) return tell(node, 0, bodyAt, size);
    const { sparseNode, sparseEnd, segmentOffset, segmentLength } = this.#tree;
    const row = rowOf(sparseNode, node);
    let stored = 0;
    for (let at = row === 0 ? 0 : sparseEnd[row - 1]!; at < sparseEnd[row]!; at++) {
      tell(node, stored, bodyAt + segmentOffset[at]!, segmentLength[at]!);
      stored += segmentLength[at]!;
    }
  }

  /** Writes a header, or what of it lies in the chunk. */
  #writeHeader(node: number, length: number, chunk: Buffer, at: number): void {
    const first = firstNodeOf(this.#plan, node);
    this.#path.go(node);
    if (first !== -1) this.#firstPath.go(first);
    fillHeader(this.#header, this.#tree, node, this.#path, first === -1 ? null : this.#firstPath);
    if (at >= 0 && at + length <= chunk.length) {
      writeHeader(this.#header, chunk, at);
      return;
    }
    const whole = Buffer.allocUnsafe(length);
    writeHeader(this.#header, whole, 0);
    whole.copy(chunk, Math.max(0, at), Math.max(0, -at), Math.min(length, chunk.length - at));
  }

  /** A link has the size of its inode, and no content. */
  #contentBytes(node: number): number {
    return firstNodeOf(this.#plan, node) === -1 ? sizeOf(this.#tree, node) : 0;
  }

  #bodyAt(node: number): number {
    return this.#startOf(node + 1) - padded(this.#contentBytes(node));
  }

  #startOf(node: number): number {
    return this.#plan.startBlock[node]! * blockBytes;
  }

  /** The node whose header or content has the byte; behind all of them, the end. */
  #nodeAt(position: number): number {
    const { startBlock } = this.#plan;
    const block = Math.floor(position / blockBytes);
    let low = firstWritten(this.#tree);
    for (let high = this.#tree.nodeCount; low < high;) {
      const middle = (low + high + 1) >>> 1;
      if (startBlock[middle]! <= block) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** `length` bytes at `start` of the tar are the content of a node as it is stored, from its byte `stored` on. */
type TellSegment = (node: number, stored: number, start: number, length: number) => void;
