import { XattrSetBuilder, type XattrSets, xattrRecords } from '#tar/xattr-sets';

/** The sets of extended attributes of a merged tree: those below keep their numbers, those of the layer get new ones. */
export class MergedXattrs {
  readonly #lower: XattrSets;
  readonly #upper: XattrSets;
  readonly #numbers = new Map<number, number>();
  #builder: XattrSetBuilder | null = null;

  constructor(lower: XattrSets, upper: XattrSets) {
    this.#lower = lower;
    this.#upper = upper;
  }

  /** The number in the merged tree of a set of the layer. */
  ofUpper(set: number): number {
    const known = this.#numbers.get(set);
    if (known !== undefined) return known;
    this.#builder ??= new XattrSetBuilder(this.#lower);
    const number = this.#builder.internRecords(xattrRecords(this.#upper, set));
    this.#numbers.set(set, number);
    return number;
  }

  /**
   * The sets a finished column needs. When most are of no node any more the column is renumbered, or a long history
   * would carry every set it ever had.
   */
  setsOf(column: Uint32Array): XattrSets {
    if (this.#builder === null) return this.#lower;
    const sets = this.#builder.sets();
    const used = new Set(column);
    if (used.size * 2 >= sets.xattrEnd.length) return sets;
    const kept = new XattrSetBuilder();
    const renumbered = new Map([...used].map((set) => [set, kept.internRecords(xattrRecords(sets, set))]));
    for (let row = 0; row < column.length; row++) column[row] = renumbered.get(column[row]!)!;
    return kept.sets();
  }
}
