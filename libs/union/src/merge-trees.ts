import type { DiffId } from '#core/digest';
import { atOnce, inTurns, type Steps } from '#core/in-turns';
import { buildLayerTree } from '#tar/build-layer-tree';
import { impliedDirectory, isDirectory as isUpperDirectory, type LayerTree } from '#tar/layer-tree';
import type { LayerIndex } from '#tar/layer-index';
import { LintList } from '#tar/lint';
import { typeNumber } from '#tar/layer-entries';
import { compareNames } from '#tar/path-name';
import { XattrSetBuilder } from '#tar/xattr-sets';
import { Removals } from './removals.js';
import { isDirectory, linkOf, nameStart, type RootfsTree, typeOf } from './rootfs-tree.js';
import { RootfsTreeBuilder } from './rootfs-tree-builder.js';
import { TreeLookup } from './tree-lookup.js';

/**
 * Puts one layer on a tree. Pure; both inputs stay as they are. Costs a pass over both trees in which subtrees that
 * the layer does not touch are copied whole.
 * @throws LAYER_INVALID (the layer has no meaning on this tree), LIMIT_EXCEEDED @see union/SPEC 4.2
 */
export function mergeLayer(lower: RootfsTree, layer: { diffId: DiffId; index: LayerIndex }): RootfsTree {
  return atOnce(mergeSteps(lower, layer));
}

/** The same with turns for others. @throws as `mergeLayer` */
export function mergeLayerInTurns(
  lower: RootfsTree,
  layer: { diffId: DiffId; index: LayerIndex },
): Promise<RootfsTree> {
  return inTurns(mergeSteps(lower, layer));
}

function* mergeSteps(lower: RootfsTree, { diffId, index }: { diffId: DiffId; index: LayerIndex }): Steps<RootfsTree> {
  const lints = new LintList();
  const lookup = new TreeLookup(lower);
  // With a tree below, a layer always has one.
  const upper =
    index.tree ?? (yield* buildLayerTree(index.entries, new XattrSetBuilder(index.xattrSets), lookup, lints))!;
  const removals = new Removals(lower, lookup, upper, lints);
  const builder = new RootfsTreeBuilder(lower, index.entries, upper, diffId);
  yield* new Merge(lower, index, upper, removals, builder, lints).run();
  const hasRootEntry = lower.hasRootEntry || upper.source[0] !== impliedDirectory;
  return builder.build(hasRootEntry, { kept: lints.kept, total: lints.total });
}

/** Rows that are one step of the work. */
const rowsInStep = 8192;

/** A directory in hand: its row in the merged tree, and what is left of its children on both sides. */
interface Open {
  readonly row: number;
  lower: number;
  readonly lowerEnd: number;
  upper: number;
  readonly upperEnd: number;
}

/** The walk over both trees, side by side in canonical order, without recursion. @see union/SPEC 4.2 step 4 */
class Merge {
  readonly #lower: RootfsTree;
  readonly #index: LayerIndex;
  readonly #upper: LayerTree;
  readonly #removals: Removals;
  readonly #builder: RootfsTreeBuilder;
  readonly #lints: LintList;
  readonly #open: Open[] = [];

  constructor(
    lower: RootfsTree,
    index: LayerIndex,
    upper: LayerTree,
    removals: Removals,
    builder: RootfsTreeBuilder,
    lints: LintList,
  ) {
    this.#lower = lower;
    this.#index = index;
    this.#upper = upper;
    this.#removals = removals;
    this.#builder = builder;
    this.#lints = lints;
  }

  *run(): Steps<void> {
    this.#enterBoth(0, 0);
    let rows = 0;
    for (let top = this.#open.at(-1); top !== undefined; top = this.#open.at(-1)) {
      if (this.#builder.rows - rows >= rowsInStep) {
        rows = this.#builder.rows;
        yield;
      }
      const hasLower = top.lower < top.lowerEnd;
      const hasUpper = top.upper < top.upperEnd;
      if (hasLower && this.#removals.drops(top.lower)) top.lower = this.#lower.subtreeEnd[top.lower]!;
      else if (hasLower && hasUpper) this.#nextOfBoth(top);
      else if (hasLower) this.#nextOfLower(top);
      else if (hasUpper) this.#nextOfUpper(top, Math.min(top.upperEnd, top.upper + rowsInStep));
      else {
        this.#builder.close(top.row);
        this.#open.pop();
      }
    }
  }

  #nextOfBoth(top: Open): void {
    const { lower, upper } = top;
    const order = this.#compare(lower, upper);
    if (order < 0) return this.#nextOfLower(top);
    if (order > 0) return this.#nextOfUpper(top, this.#upper.subtreeEnd[upper]!);
    const lowerIsDirectory = isDirectory(this.#lower, lower);
    const upperIsDirectory = isUpperDirectory(this.#index.entries, this.#upper.source[upper]!);
    if (lowerIsDirectory && upperIsDirectory) {
      top.lower = this.#lower.subtreeEnd[lower]!;
      top.upper = this.#upper.subtreeEnd[upper]!;
      return this.#enterBoth(lower, upper);
    }
    if (upperIsDirectory) this.#lintReplaced(lower, upper);
    top.lower = this.#lower.subtreeEnd[lower]!;
    return this.#nextOfUpper(top, this.#upper.subtreeEnd[upper]!);
  }

  /** Directories merge by name; the layer's attributes count when it has some. */
  #enterBoth(lower: number, upper: number): void {
    const isImplied = this.#upper.source[upper] === impliedDirectory;
    const row = isImplied ? this.#builder.copyLower(lower, lower + 1) : this.#builder.copyUpper(upper, upper + 1);
    const lowerEnd = this.#lower.subtreeEnd[lower]!;
    this.#open.push({
      row,
      lower: this.#removals.empties(lower) ? lowerEnd : lower + 1,
      lowerEnd,
      upper: upper + 1,
      upperEnd: this.#upper.subtreeEnd[upper]!,
    });
  }

  /** A node only the tree below has: whole, unless something in it is removed. */
  #nextOfLower(top: Open): void {
    const node = top.lower;
    const end = this.#lower.subtreeEnd[node]!;
    top.lower = end;
    if (!this.#removals.touches(node, end)) {
      this.#builder.copyLower(node, end);
      return;
    }
    const row = this.#builder.copyLower(node, node + 1);
    const lower = this.#removals.empties(node) ? end : node + 1;
    this.#open.push({ row, lower, lowerEnd: end, upper: 0, upperEnd: 0 });
  }

  #nextOfUpper(top: Open, end: number): void {
    this.#builder.copyUpper(top.upper, end);
    top.upper = end;
  }

  #compare(lower: number, upper: number): number {
    const { names, nameEnd } = this.#upper;
    return compareNames(
      this.#lower.names,
      nameStart(this.#lower, lower),
      this.#lower.nameEnd[lower]!,
      names,
      nameEnd[upper - 1]!,
      nameEnd[upper]!,
    );
  }

  #lintReplaced(lower: number, upper: number): void {
    if (typeOf(this.#lower, lower) === typeNumber.symlink) {
      const target = Buffer.from(linkOf(this.#lower, lower)).toString();
      const note = `a directory replaces the symlink to "${target}" below; what it leads to is not changed`;
      this.#lints.add('replaces-lower-symlink', this.#pathOf(upper), note);
    } else if (this.#upper.source[upper] === impliedDirectory) {
      const note = 'a path of the layer goes through what is a file below';
      this.#lints.add('file-replaced-by-implied-directory', this.#pathOf(upper), note);
    }
  }

  #pathOf(upper: number): Uint8Array {
    const { names, nameEnd } = this.#upper;
    const parents = this.#open.slice(1).map(({ row }) => Buffer.concat([this.#builder.nameOf(row), Buffer.from('/')]));
    return Buffer.concat([...parents, names.subarray(nameEnd[upper - 1], nameEnd[upper])]);
  }
}
