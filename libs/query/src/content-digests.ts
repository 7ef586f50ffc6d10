import { type Digest, digestFromHex, type DiffId } from '#core/digest';
import type { RepositoryName } from '#core/name';
import type { LayerIndex } from '#tar/layer-index';
import { typeNumber } from '#tar/layer-entries';
import { type RootfsTree, typeOf } from '#union/rootfs-tree';

/** Reads the index of a layer of a repository. */
export interface IndexSource {
  index(repo: RepositoryName, diffId: DiffId): Promise<LayerIndex>;
  /** The sha256 of an entry's content, where it is known without an index: 32 bytes, zeros for none. */
  packedDigest?(diffId: DiffId, entry: number): Uint8Array | undefined;
}

const digestBytes = 32;
/** A comparison asks about two nodes at a time. */
const rememberedMax = 4;

/**
 * The sha256 of the contents of files, from body packs, else from the indexes of their layers. An index is read when the
 * first file of its layer is asked about that no pack knows, and only its digests are kept.
 */
export class ContentDigests {
  readonly #source: IndexSource;
  readonly #repo: RepositoryName;
  readonly #layers = new Map<DiffId, Uint8Array>();
  /** What packs told last: a pack may be forgotten between `load` and `at`. */
  readonly #packed = new Map<string, Uint8Array>();

  constructor(source: IndexSource, repo: RepositoryName) {
    this.#source = source;
    this.#repo = repo;
  }

  /** Makes the layer of a node ready for `at`; undefined when it is, so that a loop need not wait for nothing. */
  load(tree: RootfsTree, node: number): Promise<void> | undefined {
    if (typeOf(tree, node) !== typeNumber.file) return undefined;
    const diffId = tree.layers[tree.layer[node]!]!;
    if (this.#layers.has(diffId)) return undefined;
    const packed = this.#source.packedDigest?.(diffId, tree.entry[node]!);
    if (!packed) return this.#load(diffId);
    this.#remember(keyOf(diffId, tree.entry[node]!), packed);
    return undefined;
  }

  /** 32 bytes, or undefined for what has no content, and for files that are nearly all holes. Call `load` first. */
  at(tree: RootfsTree, node: number): Uint8Array | undefined {
    if (typeOf(tree, node) !== typeNumber.file) return undefined;
    const entry = tree.entry[node]!;
    const diffId = tree.layers[tree.layer[node]!]!;
    const ofLayer = this.#layers.get(diffId)?.subarray(entry * digestBytes, (entry + 1) * digestBytes);
    const digest = ofLayer ?? this.#packed.get(keyOf(diffId, entry));
    return digest?.some((byte) => byte !== 0) ? digest : undefined;
  }

  digest(tree: RootfsTree, node: number): Digest | null {
    const bytes = this.at(tree, node);
    return bytes ? digestOfBytes(bytes) : null;
  }

  #remember(key: string, digest: Uint8Array): void {
    this.#packed.set(key, digest);
    const [oldest] = this.#packed.keys();
    if (this.#packed.size > rememberedMax && oldest !== undefined) this.#packed.delete(oldest);
  }

  async #load(diffId: DiffId): Promise<void> {
    const { entries } = await this.#source.index(this.#repo, diffId);
    // A copy: the view would keep the whole index. What has no digest has zeros.
    this.#layers.set(diffId, entries.contentDigest.slice());
  }
}

function keyOf(diffId: DiffId, entry: number): string {
  return `${diffId} ${entry}`;
}

export function digestOfBytes(bytes: Uint8Array): Digest {
  return digestFromHex(Buffer.from(bytes).toString('hex'));
}
