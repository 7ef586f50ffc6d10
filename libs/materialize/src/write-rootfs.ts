import type { DiffId } from '#core/digest';
import { VarveError } from '#core/error';
import type { BlobReader } from '#ports/blob-store';
import { rowOf } from '#tar/layer-entries';
import { newHeader, padded, writeHeader } from '#tar/tar-header';
import { fillHeader } from '#union/node-header';
import { firstNodeOf, firstWritten, type RootfsPlan } from '#union/rootfs-plan';
import { type RootfsTree, sparseBit } from '#union/rootfs-tree';
import { TreePath } from '#union/tree-path';
import { LayerBodies } from './layer-bodies.js';

const blockBytes = 512;
const chunkBytes = 1 << 20;

/** Bytes of the tar, `[from, to)`. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/**
 * The canonical tar of a plan, or any range of it, in fresh chunks of 1 MiB but for the last. The same plan gives the
 * same bytes, always. Reads the content of files straight into the chunks, holds one chunk and one window for each open
 * layer, and closes every reader it opened. When it throws, the bytes so far are no whole tar.
 * @throws RANGE_INVALID, CORRUPT (a layer is shorter than its index says), and what `openLayer` and the readers throw
 * @see union/SPEC 4.3
 */
export async function* writeRootfs(
  plan: RootfsPlan,
  openLayer: (diffId: DiffId) => Promise<BlobReader>,
  range: ByteRange = { from: 0, to: plan.length },
): AsyncGenerator<Uint8Array> {
  checkRange(range, plan.length);
  const bodies = new LayerBodies(openLayer);
  try {
    yield* new RootfsWriter(plan, bodies, range).chunks();
  } finally {
    await bodies.close();
  }
}

function checkRange({ from, to }: ByteRange, length: number): void {
  if (Number.isSafeInteger(from) && Number.isSafeInteger(to) && from >= 0 && from <= to && to <= length) return;
  throw new VarveError('RANGE_INVALID', `bytes ${from} to ${to} are not within the ${length} bytes of the tar`, {
    from,
    to,
    length,
  });
}

/** A stretch of the output: of a layer, of a header, or zeros. */
class RootfsWriter {
  readonly #plan: RootfsPlan;
  readonly #tree: RootfsTree;
  readonly #bodies: LayerBodies;
  readonly #to: number;
  readonly #path: TreePath;
  readonly #firstPath: TreePath;
  readonly #header = newHeader();
  /** Bytes of what comes next that lie before the range. */
  #skip: number;
  readonly #node: number;
  /** What of the range is not written yet. */
  #left: number;
  #chunk: Buffer;
  #used = 0;

  constructor(plan: RootfsPlan, bodies: LayerBodies, { from, to }: ByteRange) {
    this.#plan = plan;
    this.#tree = plan.tree;
    this.#bodies = bodies;
    this.#to = to;
    this.#left = to - from;
    this.#path = new TreePath(plan.tree, plan.parent);
    this.#firstPath = new TreePath(plan.tree, plan.parent);
    this.#node = nodeAt(plan, from);
    this.#skip = from - startOf(plan, this.#node);
    this.#chunk = Buffer.allocUnsafeSlow(Math.min(chunkBytes, this.#left));
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    const { nodeCount } = this.#tree;
    for (let node = this.#node; node < nodeCount && startOf(this.#plan, node) < this.#to; node++) {
      const size = this.#fillHeader(node);
      yield* this.#headerBytes(startOf(this.#plan, node + 1) - startOf(this.#plan, node) - padded(size));
      if (size === 0) continue;
      if ((this.#tree.kind[node]! & sparseBit) !== 0) yield* this.#sparseBody(node, size);
      else yield* this.#stored(node, 0, size);
      yield* this.#zeros(padded(size) - size);
    }
    yield* this.#zeros(2 * blockBytes);
    if (this.#used > 0) yield this.#chunk.subarray(0, this.#used);
  }

  /** Prepares the header of a node; returns the size of the content behind it. */
  #fillHeader(node: number): number {
    const first = firstNodeOf(this.#plan, node);
    this.#path.go(node);
    if (first !== -1) this.#firstPath.go(first);
    fillHeader(this.#header, this.#tree, node, this.#path, first === -1 ? null : this.#firstPath);
    return this.#header.size;
  }

  *#headerBytes(bytes: number): Generator<Uint8Array> {
    if (this.#skip === 0 && bytes <= this.#chunk.length - this.#used && bytes <= this.#left) {
      writeHeader(this.#header, this.#chunk, this.#used);
      this.#used += bytes;
      this.#left -= bytes;
      return;
    }
    if (this.#passes(bytes)) return;
    const header = Buffer.allocUnsafe(bytes);
    writeHeader(this.#header, header, 0);
    for (let at = this.#takeSkip(); at < bytes && this.#left > 0;) {
      yield* this.#nextChunk();
      const count = header.copy(this.#chunk, this.#used, at, at + Math.min(bytes - at, this.#room()));
      at += count;
      this.#advance(count);
    }
  }

  async *#sparseBody(node: number, size: number): AsyncGenerator<Uint8Array> {
    const { sparseNode, sparseEnd, segmentOffset, segmentLength } = this.#tree;
    const row = rowOf(sparseNode, node);
    let position = 0;
    let storedAt = 0;
    for (let at = row === 0 ? 0 : sparseEnd[row - 1]!; at < sparseEnd[row]!; at++) {
      yield* this.#zeros(segmentOffset[at]! - position);
      yield* this.#stored(node, storedAt, segmentLength[at]!);
      storedAt += segmentLength[at]!;
      position = segmentOffset[at]! + segmentLength[at]!;
    }
    yield* this.#zeros(size - position);
  }

  /** Bytes of a node's content as they are stored in its layer. */
  async *#stored(node: number, from: number, bytes: number): AsyncGenerator<Uint8Array> {
    if (this.#passes(bytes)) return;
    const diffId = this.#tree.layers[this.#tree.layer[node]!]!;
    const position = this.#tree.dataBlock[node]! * blockBytes + from;
    for (let at = this.#takeSkip(); at < bytes && this.#left > 0;) {
      yield* this.#nextChunk();
      const count = Math.min(bytes - at, this.#room());
      const target = this.#chunk.subarray(this.#used, this.#used + count);
      if (!this.#bodies.readNow(diffId, position + at, target)) await this.#bodies.read(diffId, position + at, target);
      at += count;
      this.#advance(count);
    }
  }

  *#zeros(bytes: number): Generator<Uint8Array> {
    if (bytes === 0 || this.#passes(bytes)) return;
    for (let at = this.#takeSkip(); at < bytes && this.#left > 0;) {
      yield* this.#nextChunk();
      const count = Math.min(bytes - at, this.#room());
      this.#chunk.fill(0, this.#used, this.#used + count);
      at += count;
      this.#advance(count);
    }
  }

  /** Whether a stretch lies wholly before the range; then it is done. */
  #passes(bytes: number): boolean {
    if (this.#skip < bytes) return false;
    this.#skip -= bytes;
    return true;
  }

  #takeSkip(): number {
    const skip = this.#skip;
    this.#skip = 0;
    return skip;
  }

  #room(): number {
    return Math.min(this.#chunk.length - this.#used, this.#left);
  }

  #advance(bytes: number): void {
    this.#used += bytes;
    this.#left -= bytes;
  }

  /** Hands a full chunk over, and takes a new one: whoever gets it keeps it. */
  *#nextChunk(): Generator<Uint8Array> {
    if (this.#used < this.#chunk.length) return;
    if (this.#used > 0) yield this.#chunk;
    this.#chunk = Buffer.allocUnsafeSlow(Math.min(chunkBytes, this.#left));
    this.#used = 0;
  }
}

function startOf({ startBlock }: RootfsPlan, node: number): number {
  return startBlock[node]! * blockBytes;
}

/** The node whose header or content has the byte; behind all of them, the end. */
function nodeAt({ tree, startBlock }: RootfsPlan, position: number): number {
  const block = Math.floor(position / blockBytes);
  let low = firstWritten(tree);
  for (let high = tree.nodeCount; low < high;) {
    const middle = (low + high + 1) >>> 1;
    if (startBlock[middle]! <= block) low = middle;
    else high = middle - 1;
  }
  return low;
}
