import { limit } from '#core/limit';
import { typeNumber } from './layer-entries.js';
import { overLimit, refusal, type TarPlace } from './refusal.js';

export const absent = -1;

/** A tree whose paths can be followed. Nodes are numbers; symlinks are nodes. */
export interface WalkedTree {
  readonly root: number;
  /** The node of that name in a directory, or `absent`. */
  child(directory: number, name: Uint8Array, from: number, to: number): number;
  /** One of `typeNumber`. */
  typeOf(node: number): number;
  linkOf(node: number): Uint8Array;
}

/** Bounds the work of all walks for one layer: a few short links can make every path a long way. */
export class StepBudget {
  #left: number;

  constructor(entries: number) {
    this.#left = limit.walkStepsMax + limit.walkStepsPerEntryMax * entries;
  }

  spend(place: TarPlace, steps = 1): void {
    this.#left -= steps;
    if (this.#left < 0) {
      throw overLimit(
        place,
        'too-many-link-steps',
        'to place the entries of the layer takes too many steps through links',
      );
    }
  }
}

/** What to do about a component that is not there: make it and return its node, or `absent` to give up. */
export type OnMissing = (directory: number, name: Uint8Array, from: number, to: number, place: TarPlace) => number;

const slash = 0x2f;
const dot = 0x2e;

/**
 * Follows directories and symlinks from the root, never above it, at most 40 links. Stays where the last walk ended, so
 * that a walk in the same directory can go on from there.
 * @see union/SPEC 4.2 step 2d
 */
export class DirectoryWalk {
  /** The directories from the root to where the walk is. */
  readonly #chain: number[];
  readonly #tree: WalkedTree;
  readonly #budget: StepBudget;
  /** Whether a link was followed since the walk began at the root. */
  #followed = false;

  constructor(tree: WalkedTree, budget: StepBudget) {
    this.#tree = tree;
    this.#budget = budget;
    this.#chain = [tree.root];
  }

  get directory(): number {
    return this.#chain[this.#chain.length - 1]!;
  }

  /** Whether the chain has one directory for each component walked, so that `backTo` may be used. */
  get isLexical(): boolean {
    return !this.#followed;
  }

  /** Goes back to the first `components` directories below the root. */
  backTo(components: number): void {
    this.#chain.length = components + 1;
    if (components === 0) this.#followed = false;
  }

  /**
   * Walks the components of `path[from, to)` from where it is. Returns the directory, or `absent` when a component is
   * missing or no directory. @throws LAYER_INVALID (symlink-loop), LIMIT_EXCEEDED
   */
  on(path: Uint8Array, from: number, to: number, place: TarPlace, onMissing?: OnMissing): number {
    const tree = this.#tree;
    const chain = this.#chain;
    // What is still to walk: the path, and on top of it the rest of each link in hand.
    const texts = [path];
    const positions = [from];
    const ends = [to];
    let hops = 0;
    while (texts.length > 0) {
      const top = texts.length - 1;
      const text = texts[top]!;
      const end = ends[top]!;
      let at = positions[top]!;
      while (at < end && text[at] === slash) at++;
      if (at === end) {
        texts.length = positions.length = ends.length = top;
        continue;
      }
      let next = at;
      while (next < end && text[next] !== slash) next++;
      positions[top] = next;
      this.#budget.spend(place);
      if (next - at === 1 && text[at] === dot) continue;
      if (next - at === 2 && text[at] === dot && text[at + 1] === dot) {
        if (chain.length > 1) chain.length--;
        continue;
      }
      const directory = this.directory;
      let node = tree.child(directory, text, at, next);
      if (node === absent && onMissing) node = onMissing(directory, text, at, next, place);
      if (node === absent) return absent;
      const type = tree.typeOf(node);
      if (type === typeNumber.directory) chain.push(node);
      else if (type === typeNumber.symlink) {
        if (++hops > limit.symlinkHopsMax) {
          const message = `its path goes through more than ${limit.symlinkHopsMax} symlinks`;
          throw refusal(place, 'symlink-loop', message, path);
        }
        this.#followed = true;
        const link = tree.linkOf(node);
        if (link[0] === slash) chain.length = 1;
        texts.push(link);
        positions.push(0);
        ends.push(link.length);
      } else if (onMissing) {
        const message = `"${Buffer.from(text.subarray(at, next)).toString()}" in its path is no directory`;
        throw refusal(place, 'parent-not-directory', message, path);
      } else return absent;
    }
    return this.directory;
  }
}
