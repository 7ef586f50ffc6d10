import type { Digest } from '#core/digest';
import type { NamedBlob } from '#core/event';
import type { BlobRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import { copyBlob } from '#layer/copy-blob';
import type { ReceivedLayer } from '#layer/receive-layer';
import type { BlobStore } from '#ports/blob-store';
import type { GraphReader } from '#ports/graph-store';

/** The blobs of a commit that its record must name. */
export interface CommitBlobs {
  readonly repo: RepositoryName;
  readonly layer: ReceivedLayer | null;
  /** The config that is carried on. */
  readonly config: Digest | null;
}

/**
 * The copies that the record of one commit names: none of what its partition has in a live copy already. A try that a
 * fence came before is followed by one with copies of its own, made from those that are still stored.
 */
export class CommitCopies {
  readonly #stores: { readonly graph: GraphReader; readonly blobs: BlobStore };
  readonly #wanted: CommitBlobs;
  /** Sealed here: of the try in hand, and of those before it, which are certain to have failed. */
  #current: NamedBlob[] = [];
  readonly #before: NamedBlob[] = [];

  constructor(stores: { readonly graph: GraphReader; readonly blobs: BlobStore }, wanted: CommitBlobs) {
    this.#stores = stores;
    this.#wanted = wanted;
  }

  /** What is not there in a live copy, for the next try. Reads the graph; seals nothing. */
  async missing(): Promise<{ readonly layer: boolean; readonly config: BlobRow | undefined }> {
    const { repo, layer, config } = this.#wanted;
    const [isKept, row] = await Promise.all([
      layer === null || this.#isBound(layer),
      config === null ? undefined : this.#stores.graph.blob(repo, config),
    ]);
    return { layer: !isKept, config: row && row.retiredEpoch !== null ? row : undefined };
  }

  /** Seals them. Only after the fence was read that the proposal tells of. @throws BLOB_GONE, STORAGE_FULL, UNAVAILABLE */
  async seal(missing: Awaited<ReturnType<CommitCopies['missing']>>): Promise<readonly NamedBlob[]> {
    const { blobs } = this.#stores;
    const { layer } = this.#wanted;
    this.#before.push(...this.#current.splice(0));
    if (missing.layer && layer) {
      const sealed = this.#before.findLast((copy) => copy.digest === layer.digest);
      this.#current.push(sealed ? await copyBlob(blobs, sealed) : await layer.seal());
    }
    // What its own commits name stays stored when it is retired; it only takes no new ones.
    if (missing.config) this.#current.push(await copyBlob(blobs, { ...missing.config, layer: null }));
    return [...this.#current];
  }

  /**
   * It is over. What certainly no record names is removed: the copies of earlier tries, and those of the last one unless
   * it took effect or its record may be in the log all the same. What another call with the same key made superfluous is
   * left to be collected: a graph that went back would show it as not named.
   */
  async done({ mayBeNamed }: { readonly mayBeNamed: boolean }): Promise<void> {
    const copies = mayBeNamed ? this.#before : [...this.#before, ...this.#current];
    // What cannot be removed now is garbage too; the write's own answer matters more.
    for (const copy of copies) await this.#stores.blobs.delete(copy).catch(() => undefined);
  }

  async #isBound({ diffId }: ReceivedLayer): Promise<boolean> {
    const { graph } = this.#stores;
    const { repo } = this.#wanted;
    for (const { digest, incarnation } of (await graph.layer(repo, diffId))?.encodings ?? []) {
      const copy = await graph.blob(repo, digest);
      if (copy?.incarnation === incarnation && copy.retiredEpoch === null) return true;
    }
    return false;
  }
}
