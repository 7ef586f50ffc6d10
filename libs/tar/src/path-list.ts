import { ByteHeap } from './byte-heap.js';
import type { PathList } from './layer-tree.js';
import { comparePaths } from './path-name.js';

/** Collects paths in any order. */
export class PathListBuilder {
  readonly #heap = new ByteHeap();
  readonly #ends: number[] = [];

  /** Adds `directory/name`; an empty part adds nothing. */
  add(directory: Uint8Array, name: Uint8Array): void {
    this.#heap.append(directory);
    if (directory.length > 0 && name.length > 0) this.#heap.append(slash);
    this.#heap.append(name);
    this.#ends.push(this.#heap.length);
  }

  get bytes(): number {
    return this.#heap.length;
  }

  /** In canonical order, without repetitions. */
  build(): PathList {
    const text = this.#heap.bytes;
    const ends = this.#ends;
    const compare = (a: number, b: number): number =>
      comparePaths(text, ends[a - 1] ?? 0, ends[a]!, text, ends[b - 1] ?? 0, ends[b]!);
    const order = Uint32Array.from(ends, (_, row) => row).toSorted(compare);
    const sorted = new ByteHeap();
    const sortedEnds: number[] = [];
    order.forEach((row, at) => {
      if (at > 0 && compare(order[at - 1]!, row) === 0) return;
      sorted.append(text, ends[row - 1] ?? 0, ends[row]);
      sortedEnds.push(sorted.length);
    });
    return { end: Uint32Array.from(sortedEnds), text: sorted.toBytes() };
  }
}

const slash = Buffer.from('/');
