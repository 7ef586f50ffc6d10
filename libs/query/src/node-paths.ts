import { limit } from '#core/limit';
import { isDirectory, nameStart, type RootfsTree } from '#union/rootfs-tree';

const slash = 0x2f;

/** The paths of the nodes in one directory of a tree, at any depth, asked for in ascending order. */
export class NodePaths {
  readonly #tree: RootfsTree;
  readonly #bytes = Buffer.allocUnsafe(2 * limit.pathBytesMax + limit.componentBytesMax + 2);
  /** The directories that the last node is in, or is: what their subtrees end at, and how long their paths are. */
  readonly #ends: number[] = [];
  readonly #lengths: number[] = [];
  #last: number;

  constructor(tree: RootfsTree, directory: number, path: Uint8Array) {
    this.#tree = tree;
    this.#bytes.set(path);
    this.#last = directory;
    this.#enter(directory, path.length);
  }

  /** Relative to the root. A copy. Costs the siblings that were passed over, in the directories on the way. */
  of(node: number): Buffer {
    const { subtreeEnd } = this.#tree;
    let at = this.#last + 1;
    while (this.#ends[this.#ends.length - 1]! <= node) at = this.#leave();
    while (at !== node) {
      if (subtreeEnd[at]! > node) this.#append(at++);
      else at = subtreeEnd[at]!;
    }
    const length = this.#append(node);
    this.#last = node;
    return Buffer.from(this.#bytes.subarray(0, length));
  }

  #append(node: number): number {
    const { names, nameEnd } = this.#tree;
    let length = this.#lengths[this.#lengths.length - 1]!;
    if (length > 0) this.#bytes[length++] = slash;
    for (let at = nameStart(this.#tree, node); at < nameEnd[node]!; at++) this.#bytes[length++] = names[at]!;
    if (isDirectory(this.#tree, node)) this.#enter(node, length);
    return length;
  }

  #enter(directory: number, length: number): void {
    this.#ends.push(this.#tree.subtreeEnd[directory]!);
    this.#lengths.push(length);
  }

  /** Returns the first node behind the directory. */
  #leave(): number {
    this.#lengths.pop();
    return this.#ends.pop()!;
  }
}
