import type { CommitId } from '#core/commit';
import type { Digest, DiffId } from '#core/digest';
import type { Event } from '#core/event';
import type {
  AliasKind,
  AliasRow,
  BlobRow,
  Change,
  CommitRow,
  Facts,
  LayerRow,
  OutcomeRow,
  PartitionRow,
  ReflogRow,
  RepositoryRow,
} from '#core/graph-row';
import type { RefName, RepositoryName } from '#core/name';
import type { RefValue } from '#core/ref';
import type { BlobAddress } from './blob-store.js';

/** How far the graph is, and what it is. `offset` is the last applied record, -1 before the first. */
export interface Checkpoint {
  readonly offset: number;
  /** sha256 (hex) of the bytes of that record; '' before the first. */
  readonly recordDigest: string;
  /** 64 hex: the multiset hash of all rows. Equal offset means equal digest, on every adapter. @see event-log.md 2.3 */
  readonly stateDigest: string;
  readonly partition: PartitionRow;
}

/** One atomic step: the changes of the records (previousOffset, offset]. */
export interface GraphBatch {
  readonly previousOffset: number;
  readonly offset: number;
  readonly recordDigest: string;
  readonly stateDigest: string;
  readonly changes: readonly Change[];
}

/** What the projection tells those who wait. */
export interface AppliedNotice {
  readonly partition: number;
  readonly offset: number;
  readonly outcomes: readonly OutcomeRow[];
}

/** Reading the graph. Lookups answer undefined for what is not there; they never see half a batch. */
export interface GraphReader {
  readonly partitionCount: number;
  checkpoint(partition: number): Promise<Checkpoint>;
  outcome(partition: number, txid: string): Promise<OutcomeRow | undefined>;
  /**
   * Both as of one instant, so that an outcome which is missing was missing at that checkpoint. Of two calls it may have
   * been there at the first and be gone at the second: a store may go back between them.
   */
  outcomeAt(
    partition: number,
    txid: string,
  ): Promise<{ readonly checkpoint: Checkpoint; readonly row: OutcomeRow | undefined }>;

  repositories(): Promise<readonly RepositoryRow[]>;
  repository(repo: RepositoryName): Promise<RepositoryRow | undefined>;

  /** The value, also of a deleted ref (`commit: null`); undefined when it never was. */
  ref(repo: RepositoryName, ref: RefName): Promise<RefValue | undefined>;
  /** Refs that exist, by name; with `upTo`, those that existed after the repository's move of that version, as they were. */
  refs(
    repo: RepositoryName,
    upTo?: number,
  ): Promise<readonly { readonly ref: RefName; readonly value: RefValue & { commit: CommitId } }[]>;
  /** Newest first; of one ref or of all; only versions below `before`. */
  reflog(
    repo: RepositoryName,
    page: { readonly ref?: RefName | undefined; readonly before?: number | undefined; readonly limit: number },
  ): Promise<readonly ReflogRow[]>;
  /** The `n`-th newest move of a ref, 0 the last one. */
  reflogAt(repo: RepositoryName, ref: RefName, n: number): Promise<ReflogRow | undefined>;

  commit(repo: RepositoryName, id: CommitId): Promise<CommitRow | undefined>;
  commitAt(repo: RepositoryName, seq: number): Promise<CommitRow | undefined>;
  /** The canonical bytes of a commit the graph has. */
  commitBytes(repo: RepositoryName, id: CommitId): Promise<Uint8Array | undefined>;
  /** By seq, newest first, below `before`. */
  commits(
    repo: RepositoryName,
    page: { readonly before?: number | undefined; readonly limit: number },
  ): Promise<readonly CommitRow[]>;
  /** Commits whose id starts with the hex digits, at most `limit`. */
  commitsByPrefix(repo: RepositoryName, hexPrefix: string, limit: number): Promise<readonly CommitRow[]>;
  /** Other names that start with the hex digits, oldest commit first, at most `limit`. */
  aliasesByPrefix(
    repo: RepositoryName,
    hexPrefix: string,
    kinds: readonly AliasKind[],
    limit: number,
  ): Promise<readonly AliasRow[]>;

  layer(repo: RepositoryName, diffId: DiffId): Promise<LayerRow | undefined>;
  /** Some copy of the blob that was named, a live one first. */
  blob(repo: RepositoryName, digest: Digest): Promise<BlobRow | undefined>;

  /** Every copy of these blobs that the partition knows, of any state. */
  copies(partition: number, digests: readonly Digest[]): Promise<readonly BlobRow[]>;
  /** Copies that a fence retired before anything named them, ordered by digest and incarnation, after the given one. */
  retiredCopies(
    partition: number,
    page: { readonly after?: BlobAddress | undefined; readonly limit: number },
  ): Promise<readonly BlobRow[]>;

  /** Calls after each applied batch, in this process or (where the store can) in all. Lossy: poll as well. */
  onApplied(listener: (notice: AppliedNotice) => void): () => void;
}

/** Facts, and the offset of the checkpoint they are of: what is folded from them may only be applied there. */
export interface StoredFacts extends Facts {
  readonly offset: number;
  /**
   * Where a lookup takes time, some answers are guesses: "not there", or an error that ends the fold. Whoever has folded
   * asks whether they were right. `refuted`: some was not, it is known now, fold again. `outdated`: the graph is at
   * another offset. Absent where every answer is known. @throws UNAVAILABLE
   */
  confirm?(): Promise<'confirmed' | 'refuted' | 'outdated'>;
}

/** The projection's product: the DAG of commits and the refs, with a checkpoint of its own. */
export interface GraphStore extends GraphReader {
  /** What `decide` needs to judge these events, as of the checkpoint. */
  facts(partition: number, events: readonly Event[]): Promise<StoredFacts>;
  /**
   * Applies changes and checkpoint together or not at all, only if the checkpoint still is at `previousOffset`. False:
   * it is not, because someone else was faster or the store lost its tail, and nothing is changed. The offset alone
   * would not tell who applied a batch, and a loser's digest may be of nothing.
   */
  apply(partition: number, batch: GraphBatch): Promise<boolean>;

  /** An empty generation beside the live one, unseen by readers until it is promoted. At most one at a time. */
  beginGeneration(): Promise<GraphGeneration>;
  close(): Promise<void>;
}

/** A graph under construction. */
export interface GraphGeneration extends Pick<GraphStore, 'checkpoint' | 'facts' | 'apply' | 'partitionCount'> {
  /**
   * From now on this is the graph; the old one is removed. One step for every reader. False, and nothing is changed,
   * when the old one is ahead in some partition: readers never see the graph go back.
   */
  promote(): Promise<boolean>;
  /** No effect after `promote`. */
  discard(): Promise<void>;
}
