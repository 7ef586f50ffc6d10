import { type Digest, digestFromHex, type DiffId } from '#core/digest';
import type { RepositoryName } from '#core/name';
import type { LayerIndex } from '#tar/layer-index';
import { noEntry, type RootfsTree } from '#union/rootfs-tree';

/** Reads the index of a layer of a repository. */
export interface IndexSource {
  index(repo: RepositoryName, diffId: DiffId): Promise<LayerIndex>;
}

const digestBytes = 32;

/**
 * The sha256 of the contents of files, from the indexes of their layers. An index is read when the first file of its
 * layer is asked about, and only its digests are kept.
 */
export class ContentDigests {
  readonly #source: IndexSource;
  readonly #repo: RepositoryName;
  readonly #layers = new Map<DiffId, Uint8Array>();

  constructor(source: IndexSource, repo: RepositoryName) {
    this.#source = source;
    this.#repo = repo;
  }

  /** Makes the layer of a node ready for `at`; undefined when it is, so that a loop need not wait for nothing. */
  load(tree: RootfsTree, node: number): Promise<void> | undefined {
    const diffId = tree.layers[tree.layer[node]!];
    if (diffId === undefined || this.#layers.has(diffId)) return undefined;
    return this.#load(diffId);
  }

  /** 32 bytes, or undefined for what has no content, and for files that are nearly all holes. Call `load` first. */
  at(tree: RootfsTree, node: number): Uint8Array | undefined {
    const entry = tree.entry[node]!;
    const diffId = tree.layers[tree.layer[node]!];
    const digests = entry === noEntry || diffId === undefined ? undefined : this.#layers.get(diffId);
    const digest = digests?.subarray(entry * digestBytes, (entry + 1) * digestBytes);
    return digest?.some((byte) => byte !== 0) ? digest : undefined;
  }

  digest(tree: RootfsTree, node: number): Digest | null {
    const bytes = this.at(tree, node);
    return bytes ? digestOfBytes(bytes) : null;
  }

  async #load(diffId: DiffId): Promise<void> {
    const { entries } = await this.#source.index(this.#repo, diffId);
    // A copy: the view would keep the whole index. What has no digest has zeros.
    this.#layers.set(diffId, entries.contentDigest.slice());
  }
}

export function digestOfBytes(bytes: Uint8Array): Digest {
  return digestFromHex(Buffer.from(bytes).toString('hex'));
}
