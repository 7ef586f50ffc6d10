import { limit } from '#core/limit';
import { isDirectory, nameStart, type RootfsTree } from './rootfs-tree.js';

const slash = 0x2f;

/**
 * The path of one node after the other, as the canonical tar writes it: relative, a directory with `/` at the end, the
 * root as `./`. `bytes` is good until the next `go`.
 */
export class TreePath {
  readonly bytes = Buffer.allocUnsafe(limit.pathBytesMax + limit.componentBytesMax + 2);
  length = 0;
  readonly #tree: RootfsTree;
  readonly #parent: Uint32Array;
  /** The directories the node in hand is in: what their subtrees end at, and how long their paths are. */
  readonly #ends: number[] = [];
  readonly #lengths: number[] = [];
  readonly #directories: number[] = [];
  #node = -1;

  /** `parent` may still be in the making: it is read for nodes that were passed, only when the way is not straight. */
  constructor(tree: RootfsTree, parent: Uint32Array) {
    this.#tree = tree;
    this.#parent = parent;
  }

  /** The directory the node in hand is in; the root is in itself. */
  parent = 0;

  /** Goes to a node; cheap when it is the next one or the same. */
  go(node: number): void {
    if (node === this.#node) return;
    if (node !== this.#node + 1) this.#restart(node);
    this.#node = node;
    if (node === 0) {
      this.#enter(0, 0);
      this.length = this.bytes.write('./', 0, 'latin1');
      return;
    }
    const ends = this.#ends;
    while (ends[ends.length - 1]! <= node) this.#leave();
    this.parent = this.#directories[this.#directories.length - 1]!;
    this.length = this.#append(node, this.#lengths[this.#lengths.length - 1]!);
  }

  /** Adds the name of a node; steps into a directory. Returns the length of its path. */
  #append(node: number, parentLength: number): number {
    const { names, nameEnd } = this.#tree;
    const end = nameEnd[node]!;
    let length = parentLength;
    for (let at = nameStart(this.#tree, node); at < end; at++) this.bytes[length++] = names[at]!;
    if (isDirectory(this.#tree, node)) {
      this.bytes[length++] = slash;
      this.#enter(node, length);
    }
    return length;
  }

  #enter(node: number, length: number): void {
    this.#ends.push(this.#tree.subtreeEnd[node]!);
    this.#lengths.push(length);
    this.#directories.push(node);
  }

  #leave(): void {
    this.#ends.pop();
    this.#lengths.pop();
    this.#directories.pop();
  }

  /** Builds the way to a node from the root. */
  #restart(node: number): void {
    this.#ends.length = this.#lengths.length = this.#directories.length = 0;
    if (node === 0) return;
    const way: number[] = [];
    for (let above = this.#parent[node]!; above !== 0; above = this.#parent[above]!) way.push(above);
    this.#enter(0, 0);
    let length = 0;
    for (const directory of way.toReversed()) length = this.#append(directory, length);
  }
}
