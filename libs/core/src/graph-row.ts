import type { CommitId } from './commit.js';
import type { ChainId, Digest, DiffId } from './digest.js';
import type { ErrorCode, ErrorDetail } from './error.js';
import type { AcceptedMove, Actor, RefOperation } from './event.js';
import type { RefName, RepositoryName } from './name.js';
import type { RefValue } from './ref.js';

/** The rows the fold keeps: the graph is these and nothing else, on every adapter. */

/**
 * One log partition. `time` is the log's time clamped to grow, ms; `gcEpoch` counts the collections that have fenced it,
 * `fencedAt` is the time of the last fence, 0 before the first.
 */
export interface PartitionRow {
  readonly rules: number;
  readonly gcEpoch: number;
  readonly fencedAt: number;
  readonly time: number;
  /** sha256 (hex) of the id of the last collection; '' before the first. */
  readonly gcRun: string;
  /** The stretches of the log whose outcomes are kept, oldest first; the last one goes on. Few, whatever happens. */
  readonly stretches: readonly Stretch[];
}

/** A part of the log whose outcomes are kept together and forgotten together: one GC epoch, or several short ones. */
export interface Stretch {
  /** Counts stretches from 0. */
  readonly number: number;
  /** The GC epoch that it begins with. */
  readonly gcEpoch: number;
  /** The record that began it, and its time. */
  readonly since: number;
  readonly time: number;
  /** 64 hex: the sum of its outcomes, so that they can be forgotten in one step, however many they are. */
  readonly outcomes: string;
}

/** So many GC epochs outcomes are kept for at least. @see event-log 1.6 rule 2 */
export const epochsKept = 3;

/** The first GC epoch of which all outcomes are kept. */
export function oldestEpoch({ stretches }: PartitionRow): number {
  return (stretches[0] as Stretch).gcEpoch;
}

/** The first record whose outcome is kept, if it has one. */
export function outcomesSince({ stretches }: PartitionRow): number {
  return (stretches[0] as Stretch).since;
}

/** The stretches whose outcomes are kept: their numbers have no gap. */
export function keptStretches({ stretches }: PartitionRow): { readonly first: number; readonly last: number } {
  return { first: (stretches[0] as Stretch).number, last: (stretches.at(-1) as Stretch).number };
}

/** A partition before its first record: no rules are in force, so nothing but their activation is accepted. */
export const newPartition: PartitionRow = {
  rules: 0,
  gcEpoch: 0,
  fencedAt: 0,
  time: 0,
  gcRun: '',
  stretches: [{ number: 0, gcEpoch: 0, since: 0, time: 0, outcomes: '0'.repeat(64) }],
};

/** `moves` counts accepted ref moves and gives versions; `commits` counts commits and gives seqs; `floor` is the version of an absent ref. */
export interface RepositoryRow {
  readonly repo: RepositoryName;
  readonly generation: number;
  readonly defaultBranch: RefName;
  readonly moves: number;
  readonly commits: number;
  readonly floor: number;
  readonly createdAt: number;
}

/**
 * A commit's place in the DAG of one repository. `seq` grows with acceptance, so parents have smaller ones: it is a
 * topological order and a generation number. `depth` counts first parents; `jump` is the seq of one skew-binary
 * first-parent ancestor, so that `X~n` and ancestry on a chain take O(log n). Bytes are of uncompressed tars.
 */
export interface CommitRow {
  readonly repo: RepositoryName;
  readonly id: CommitId;
  readonly seq: number;
  readonly parents: readonly number[];
  readonly depth: number;
  readonly jump: number;
  readonly stackLayers: number;
  readonly chainId: ChainId;
  readonly ownBytes: number;
  readonly virtualBytes: number;
  readonly offset: number;
}

/** One accepted move of a ref, kept for ever. Keyed by (repo, ref, version). */
export interface ReflogRow {
  readonly repo: RepositoryName;
  readonly ref: RefName;
  readonly version: number;
  readonly from: CommitId | null;
  readonly to: CommitId | null;
  readonly operation: RefOperation;
  readonly reason: string;
  readonly actor: Actor;
  readonly txid: string;
  readonly offset: number;
  readonly time: number;
}

/** The one outcome of a transaction: the first record with its txid that was judged. Kept as long as its stretch. */
export interface OutcomeRow {
  readonly txid: string;
  readonly repo: RepositoryName | null;
  readonly request: string | null;
  readonly offset: number;
  readonly time: number;
  /** The number of its stretch. */
  readonly stretch: number;
  readonly outcome: Outcome;
}

export type Outcome =
  | { readonly type: 'accepted'; readonly commits: readonly CommitId[]; readonly moves: readonly AcceptedMove[] }
  | { readonly type: 'rejected'; readonly code: ErrorCode; readonly message: string; readonly detail: ErrorDetail };

/** A layer that commits of this partition may name, and the blobs that hold its bytes. */
export interface LayerRow {
  readonly diffId: DiffId;
  readonly tarBytes: number;
  readonly encodings: readonly { readonly digest: Digest; readonly incarnation: string }[];
}

/**
 * One stored copy of a blob, as this partition knows it. `retiredEpoch` is the GC fence that retired it, null while it
 * lives; a retired copy takes no new references and is remembered for two epochs after it was swept, so that no late
 * proposal can name bytes that are gone. One that was retired before it was ever named has size 0. @see event-log 1.6 rule 13
 */
export interface BlobRow {
  readonly digest: Digest;
  readonly incarnation: string;
  readonly size: number;
  readonly mediaType: string;
  readonly retiredEpoch: number | null;
  /** The last GC fence when the log was told that the bytes are gone; null until then. */
  readonly sweptEpoch: number | null;
}

/** A proposal that was accepted has named it; else a fence came first, and none ever will. */
export function isNamedCopy({ mediaType }: BlobRow): boolean {
  return mediaType !== '';
}

/** The copy that readers of a blob are given: a live one before one that only what has named it already may use. */
export function copyToRead(copies: readonly BlobRow[]): BlobRow | undefined {
  return copies.find((row) => row.retiredEpoch === null) ?? copies.find(isNamedCopy);
}

/** Other names that find a commit. `v1` ids come from `origin.v1Id`, the rest from the commit's own fields. */
export interface AliasRow {
  readonly repo: RepositoryName;
  readonly kind: AliasKind;
  readonly hex: string;
  readonly commit: CommitId;
  readonly seq: number;
}
export type AliasKind = 'v1' | 'manifest' | 'config' | 'diff' | 'chain';

/** One step of the graph from one state to the next. `before` is what the digest of the state takes away. */
export type Change =
  | { readonly type: 'partition'; readonly before: PartitionRow; readonly after: PartitionRow }
  | { readonly type: 'repository'; readonly before: RepositoryRow | null; readonly after: RepositoryRow }
  | {
      readonly type: 'commit';
      readonly after: CommitRow;
      readonly bytes: Uint8Array;
      readonly aliases: readonly AliasRow[];
    }
  | {
      readonly type: 'ref';
      readonly repo: RepositoryName;
      readonly ref: RefName;
      readonly before: RefValue | null;
      readonly after: RefValue;
    }
  | { readonly type: 'reflog'; readonly after: ReflogRow }
  | { readonly type: 'outcome'; readonly after: OutcomeRow }
  | { readonly type: 'layer'; readonly before: LayerRow | null; readonly after: LayerRow }
  | { readonly type: 'blob'; readonly before: BlobRow | null; readonly after: BlobRow | null };

/** What the fold may read: the rows of one partition as they are before the record it judges. Never a clock, never bytes. */
export interface Facts {
  partition(): PartitionRow;
  repository(repo: RepositoryName): RepositoryRow | undefined;
  commit(repo: RepositoryName, id: CommitId): CommitRow | undefined;
  commitAt(repo: RepositoryName, seq: number): CommitRow | undefined;
  ref(repo: RepositoryName, ref: RefName): RefValue | undefined;
  outcome(txid: string): OutcomeRow | undefined;
  layer(diffId: DiffId): LayerRow | undefined;
  /** Every copy of the blob that the partition knows, retired ones too, in the order of their incarnations. */
  blobs(digest: Digest): readonly BlobRow[];
}
