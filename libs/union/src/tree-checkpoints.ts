import type { ChainId } from '#core/digest';
import { isVarveError } from '#core/error';
import type { BlobStore, DerivedAddress } from '#ports/blob-store';
import { readBlob } from '#ports/read-blob';
import { packsOf } from './loose-bodies.js';
import { decodeTree, encodeTree, type StackTree, treeCodecVersion } from './tree-codec.js';
import type { Packs } from './tree-packing.js';

/** A tree as it was found, and how many layers it draws loose bodies from; null when nobody knows. */
export interface ReadTree extends StackTree {
  readonly looseLayers: number | null;
}

/** More trees than this do not wait to be written: what is left out costs time, and what waits costs memory. */
const waitingMax = 4;

/**
 * Merged trees in the blob store, by chainID, so that no history is merged again from its first layer. All of them may
 * be deleted at any time: they are made again. One that is damaged counts as missing.
 */
export class TreeCheckpoints {
  readonly #blobs: Pick<BlobStore, 'open' | 'stageDerived'>;
  readonly #packs: Pick<Packs, 'packed' | 'load'> | undefined;
  #waiting = 0;
  #written: Promise<void> = Promise.resolve();

  /** `packs`: a checkpoint names the packs that hold bodies of its tree, and who reads it gets to know them. */
  constructor(blobs: Pick<BlobStore, 'open' | 'stageDerived'>, packs?: Pick<Packs, 'packed' | 'load'>) {
    this.#blobs = blobs;
    this.#packs = packs;
  }

  /** @throws UNAVAILABLE */
  async read(chainId: ChainId): Promise<ReadTree | undefined> {
    try {
      const reader = await this.#blobs.open(addressOf(chainId));
      try {
        const { packs, ...written } = await decodeTree(await readBlob(reader), chainId);
        const areAllThere = await this.#packs?.load(packs);
        return areAllThere ? written : { ...written, looseLayers: null };
      } finally {
        await reader.close();
      }
    } catch (error) {
      if (isVarveError(error) && (error.code === 'BLOB_UNKNOWN' || error.code === 'CORRUPT')) return undefined;
      throw error;
    }
  }

  /** Writes it when those before are written; nobody waits for it, and nobody is told when there is no room. */
  writeSoon(tree: StackTree): void {
    if (this.#waiting >= waitingMax) return;
    this.#waiting++;
    this.#written = this.#written
      .then(() => this.#write(tree))
      .catch(() => undefined)
      .finally(() => this.#waiting--);
  }

  /** Settles when everything that was to be written is, or has failed to be. */
  settled(): Promise<void> {
    return this.#written;
  }

  /** A piece at a time, so that neither the server nor its memory feels how large the tree is. */
  async #write(tree: StackTree): Promise<void> {
    const packs = await packsOf(tree.tree, this.#packs ?? { packed: () => undefined });
    const staged = await this.#blobs.stageDerived();
    try {
      for (const piece of encodeTree({ ...tree, ...packs })) await staged.write(piece);
      await staged.seal(addressOf(tree.stack.chainId));
    } finally {
      await staged.discard();
    }
  }
}

function addressOf(chainId: ChainId): DerivedAddress {
  return { kind: 'tree', version: treeCodecVersion, key: chainId };
}
