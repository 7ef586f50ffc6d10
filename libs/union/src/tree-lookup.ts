import { compareNames } from '#tar/path-name';
import { absent, type WalkedTree } from '#tar/tree-walk';
import { isDirectory, linkOf, nameStart, type RootfsTree, typeOf } from './rootfs-tree.js';

const slash = 0x2f;

/** Finds paths in a merged tree. Lists the children of a directory when it is first asked about them. */
export class TreeLookup implements WalkedTree {
  readonly root = 0;
  readonly #tree: RootfsTree;
  readonly #children = new Map<number, Uint32Array>();

  constructor(tree: RootfsTree) {
    this.#tree = tree;
  }

  /** The node at a path without `.`, `..` and links, or `absent`. No bytes mean the root. */
  at(path: Uint8Array): number {
    let node = this.root;
    for (let from = 0; from < path.length && node !== absent;) {
      const next = path.indexOf(slash, from);
      const to = next === -1 ? path.length : next;
      node = isDirectory(this.#tree, node) ? this.child(node, path, from, to) : absent;
      from = to + 1;
    }
    return node;
  }

  child(directory: number, name: Uint8Array, from: number, to: number): number {
    const tree = this.#tree;
    const children = this.#childrenOf(directory);
    for (let low = 0, high = children.length - 1; low <= high;) {
      const middle = (low + high) >>> 1;
      const node = children[middle]!;
      const order = compareNames(tree.names, nameStart(tree, node), tree.nameEnd[node]!, name, from, to);
      if (order === 0) return node;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return absent;
  }

  typeOf(node: number): number {
    return typeOf(this.#tree, node);
  }

  linkOf(node: number): Uint8Array {
    return linkOf(this.#tree, node);
  }

  #childrenOf(directory: number): Uint32Array {
    const known = this.#children.get(directory);
    if (known) return known;
    const { subtreeEnd } = this.#tree;
    const children: number[] = [];
    for (let node = directory + 1; node < subtreeEnd[directory]!; node = subtreeEnd[node]!) children.push(node);
    const list = Uint32Array.from(children);
    this.#children.set(directory, list);
    return list;
  }
}
