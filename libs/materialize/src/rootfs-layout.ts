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
  readonly position: number;
  readonly at: number;
  readonly length: number;
}

/**
 * Lays out any stretch of the canonical tar of a plan: writes its headers and zeros, and says which content goes where.
 * Cheapest from one stretch to the next. @see union/SPEC 4.3
 */
export class RootfsLayout {
  readonly #plan: RootfsPlan;
  readonly #tree: RootfsTree;
  readonly #path: TreePath;
  readonly #firstPath: TreePath;
  readonly #header = newHeader();
  /** The node that the last stretch ended in. */
  #node = 0;
  #chunk: Buffer = Buffer.alloc(0);
  #from = 0;
  #pieces: BodyPiece[] = [];

  constructor(plan: RootfsPlan) {
    this.#plan = plan;
    this.#tree = plan.tree;
    this.#path = new TreePath(plan.tree, plan.parent);
    this.#firstPath = new TreePath(plan.tree, plan.parent);
  }

  /** Fills `chunk` as the bytes of the tar from `from` on, but for the content that it returns. */
  fill(chunk: Buffer, from: number): BodyPiece[] {
    this.#chunk = chunk;
    this.#from = from;
    this.#pieces = [];
    const to = from + chunk.length;
    const { nodeCount } = this.#tree;
    let node =
      this.#startOf(this.#node) <= from && from < this.#startOf(this.#node + 1) ? this.#node : this.#nodeAt(from);
    for (; node < nodeCount && this.#startOf(node) < to; node++) {
      this.#node = node;
      this.#layNode(node);
    }
    this.#zeros(this.#startOf(nodeCount), this.#plan.length);
    return this.#pieces;
  }

  #layNode(node: number): void {
    const first = firstNodeOf(this.#plan, node);
    const size = first === -1 ? sizeOf(this.#tree, node) : 0;
    const end = this.#startOf(node + 1);
    const bodyAt = end - padded(size);
    if (bodyAt > this.#from) this.#layHeader(node, first, bodyAt);
    if (size === 0) return;
    if ((this.#tree.kind[node]! & sparseBit) === 0) this.#stored(node, 0, bodyAt, size);
    else this.#sparse(node, bodyAt, size);
    this.#zeros(bodyAt + size, end);
  }

  #layHeader(node: number, first: number, end: number): void {
    this.#path.go(node);
    if (first !== -1) this.#firstPath.go(first);
    fillHeader(this.#header, this.#tree, node, this.#path, first === -1 ? null : this.#firstPath);
    const at = this.#startOf(node) - this.#from;
    const length = end - this.#startOf(node);
    if (at >= 0 && at + length <= this.#chunk.length) {
      writeHeader(this.#header, this.#chunk, at);
      return;
    }
    const whole = Buffer.allocUnsafe(length);
    writeHeader(this.#header, whole, 0);
    whole.copy(this.#chunk, Math.max(0, at), Math.max(0, -at), Math.min(length, this.#chunk.length - at));
  }

  #sparse(node: number, bodyAt: number, size: number): void {
    const { sparseNode, sparseEnd, segmentOffset, segmentLength } = this.#tree;
    const row = rowOf(sparseNode, node);
    let position = 0;
    let stored = 0;
    for (let at = row === 0 ? 0 : sparseEnd[row - 1]!; at < sparseEnd[row]!; at++) {
      const offset = segmentOffset[at]!;
      this.#zeros(bodyAt + position, bodyAt + offset);
      this.#stored(node, stored, bodyAt + offset, segmentLength[at]!);
      stored += segmentLength[at]!;
      position = offset + segmentLength[at]!;
    }
    this.#zeros(bodyAt + position, bodyAt + size);
  }

  /** The stretch `[start, start + length)` of the tar is content, stored from `stored` on. */
  #stored(node: number, stored: number, start: number, length: number): void {
    const from = Math.max(start, this.#from);
    const to = Math.min(start + length, this.#from + this.#chunk.length);
    if (from >= to) return;
    const diffId = this.#tree.layers[this.#tree.layer[node]!]!;
    const position = this.#tree.dataBlock[node]! * blockBytes + stored + from - start;
    this.#pieces.push({ diffId, position, at: from - this.#from, length: to - from });
  }

  #zeros(start: number, end: number): void {
    const from = Math.max(start, this.#from);
    const to = Math.min(end, this.#from + this.#chunk.length);
    if (from < to) this.#chunk.fill(0, from - this.#from, to - this.#from);
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
