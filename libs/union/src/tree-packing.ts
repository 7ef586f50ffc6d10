import type { Digest, DiffId } from '#core/digest';
import type { RepositoryName } from '#core/name';
import type { BodySource, StoredBody } from '#ports/body-source';
import { looseBodies, looseLayersMin } from './loose-bodies.js';
import type { RootfsTree } from './rootfs-tree.js';

/** Where bodies of many layers are kept together. */
export interface Packs extends Pick<BodySource, 'packed'> {
  /** Tells whether all of them are there. @throws UNAVAILABLE */
  load(keys: readonly Digest[]): Promise<boolean>;
  /** @throws BLOB_UNKNOWN, CORRUPT, STORAGE_FULL, UNAVAILABLE */
  make(repo: RepositoryName, bodies: readonly StoredBody[], replaced: readonly Digest[]): Promise<Digest>;
}

/** More trees than this do not wait to be looked at: the next ones of their branches will be. */
const waitingMax = 4;

/**
 * Sees to it that no tree draws bodies from many small layers: they are put into a pack, in the background, and nobody
 * waits for it or is told when it fails. A tree is looked at once, when it may have become bad enough.
 */
export class TreePacking {
  readonly #packs: Packs;
  /** For each tree, how many loose layers it has at most: one more for each layer that was put on one that was looked at. */
  readonly #looseMost = new WeakMap<RootfsTree, number>();
  #waiting = 0;
  #done: Promise<void> = Promise.resolve();

  constructor(packs: Packs) {
    this.#packs = packs;
  }

  /** Notes how many loose layers a tree has that was written with its packs. */
  read(tree: RootfsTree, looseLayers: number): void {
    this.#looseMost.set(tree, looseLayers);
  }

  /** Notes that a layer was put on a tree. */
  grew(lower: RootfsTree, tree: RootfsTree): void {
    this.#looseMost.set(tree, (this.#looseMost.get(lower) ?? lower.layers.length) + 1);
  }

  /**
   * Has a tree looked at if need be, and then tells whether something of it was packed. `unstored`: a layer whose bytes
   * are not to be had yet.
   */
  lookSoon(repo: RepositoryName, tree: RootfsTree, tell: (isPacked: boolean) => void, unstored?: DiffId): void {
    const isFine = (this.#looseMost.get(tree) ?? tree.layers.length) < looseLayersMin;
    if (isFine || this.#waiting >= waitingMax) return tell(false);
    this.#looseMost.set(tree, 0);
    this.#waiting++;
    this.#done = this.#done
      .then(() => this.#look(repo, tree, unstored))
      .catch(() => false)
      .then(tell)
      .finally(() => this.#waiting--);
  }

  /** Settles when all that was to be looked at is. */
  settled(): Promise<void> {
    return this.#done;
  }

  async #look(repo: RepositoryName, tree: RootfsTree, unstored: DiffId | undefined): Promise<boolean> {
    const { layers, bodies, replaced } = await looseBodies(tree, this.#packs, unstored);
    const isWorthIt = layers >= looseLayersMin;
    this.#looseMost.set(tree, isWorthIt ? 0 : layers);
    if (isWorthIt) await this.#packs.make(repo, bodies, replaced);
    return isWorthIt;
  }
}
