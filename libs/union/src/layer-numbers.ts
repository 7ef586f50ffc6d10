import type { DiffId } from '#core/digest';
import type { RootfsTree } from './rootfs-tree.js';

/** Whether layers of no node are still listed is looked at after so many layers. */
const layersBetweenLooks = 64;

/** The layers of a merged tree: those below keep their numbers, the one on top gets the next. */
export class LayerNumbers {
  readonly #lower: Pick<RootfsTree, 'depth' | 'layers' | 'layerPlaces'>;
  readonly #diffId: DiffId;
  /** The number of the layer on top. */
  readonly top: number;

  constructor(lower: Pick<RootfsTree, 'depth' | 'layers' | 'layerPlaces'>, diffId: DiffId) {
    this.#lower = lower;
    this.#diffId = diffId;
    this.top = lower.layers.length;
  }

  /**
   * The layers that a finished column needs. When most of them are of no node any more the column is renumbered, or each
   * tree of a long history would carry every layer the history ever had.
   */
  of(column: Uint32Array): Pick<RootfsTree, 'depth' | 'layers' | 'layerPlaces'> {
    const { depth } = this.#lower;
    const layers = [...this.#lower.layers, this.#diffId];
    const layerPlaces = [...this.#lower.layerPlaces, depth];
    const all = { depth: depth + 1, layers, layerPlaces };
    if (layers.length % layersBetweenLooks !== 0) return all;
    const used = usedNumbers(column, layers.length);
    if (used.length * 2 > layers.length) return all;
    const numbers = new Uint32Array(layers.length);
    used.forEach((old, number) => (numbers[old] = number));
    for (let row = 0; row < column.length; row++) column[row] = numbers[column[row]!]!;
    return { ...all, layers: used.map((old) => layers[old]!), layerPlaces: used.map((old) => layerPlaces[old]!) };
  }
}

/** Ascending. */
function usedNumbers(column: Uint32Array, count: number): number[] {
  const isUsed = new Uint8Array(count);
  for (const layer of column) isUsed[layer] = 1;
  return Array.from(isUsed.keys()).filter((number) => isUsed[number] === 1);
}
