import { textAt } from '#tar/layer-entries';
import type { LayerTree, PathList } from '#tar/layer-tree';
import type { LintList } from '#tar/lint';
import { absent } from '#tar/tree-walk';
import { isDirectory, type RootfsTree } from './rootfs-tree.js';
import type { TreeLookup } from './tree-lookup.js';

/**
 * What a layer removes from the tree below: whole nodes, and the children of directories. Looked up by the text of the
 * path alone, so a removal follows no symlink of a lower layer. Asked about in the order of the tree.
 * @see union/SPEC 4.2 step 3
 */
export class Removals {
  readonly #dropped = new Set<number>();
  readonly #emptied = new Set<number>();
  readonly #ascending: Uint32Array;
  #next = 0;

  constructor(lower: RootfsTree, lookup: TreeLookup, upper: LayerTree, lints: LintList) {
    for (const path of pathsOf(upper.whiteouts)) {
      const baseAt = path.lastIndexOf(0x2f) + 1;
      const directory = lookup.at(path.subarray(0, Math.max(0, baseAt - 1)));
      if (directory === absent || !isDirectory(lower, directory)) {
        lints.add('marker-parent-missing', path, 'the whiteout is in what is no directory below');
        continue;
      }
      const node = lookup.child(directory, path, baseAt, path.length);
      if (node !== absent) this.#dropped.add(node);
    }
    for (const path of pathsOf(upper.opaques)) {
      const node = lookup.at(path);
      if (node !== absent && isDirectory(lower, node)) this.#emptied.add(node);
      else lints.add('marker-parent-missing', path, 'the opaque directory is no directory below');
    }
    this.#ascending = Uint32Array.from([...this.#dropped, ...this.#emptied]).toSorted();
  }

  drops(node: number): boolean {
    return this.#dropped.has(node);
  }

  empties(node: number): boolean {
    return this.#emptied.has(node);
  }

  /** Whether anything is removed from `from` on, below `to`. `from` never goes back. */
  touches(from: number, to: number): boolean {
    while (this.#next < this.#ascending.length && this.#ascending[this.#next]! < from) this.#next++;
    return this.#next < this.#ascending.length && this.#ascending[this.#next]! < to;
  }
}

function* pathsOf({ end, text }: PathList): Generator<Uint8Array> {
  for (let row = 0; row < end.length; row++) yield textAt(end, text, row);
}
