/**
 * The audit trees: one for each partition, and one more over their checkpoints. What it holds can be made again from the
 * log, but for the published checkpoints: those are promises. One writer appends, any number read; both steps that change
 * something are a compare-and-swap, so that two writers do no harm.
 * @see event-log 5.3
 */
export interface AuditStore {
  /** Says of which log the trees are; the first call decides. @throws CONFIG_INVALID when they are another's */
  bind(logId: string): Promise<void>;

  /** How far a tree is; zeros before its first entry. */
  size(tree: number): Promise<AuditTreeSize>;

  /** Appends all of the batch or nothing; false, and nothing is changed, when the tree is not at `batch.from`. */
  append(tree: number, batch: AuditBatch): Promise<boolean>;

  /** The entries [from, to) as far as there are any. */
  entries(tree: number, from: number, to: number): Promise<readonly AuditRow[]>;

  /** A tile of hashes as it was appended last; undefined for a lowest one that is not full, and for one beyond the end. */
  tile(tree: number, level: number, index: number): Promise<Uint8Array | undefined>;

  /** The path that the `n`-th move wrote into the map of refs, from 0 on. */
  path(tree: number, n: number): Promise<Uint8Array | undefined>;

  /** Entries in [from, to) whose `about` has every one of the texts in it, oldest first, in batches. */
  search(
    tree: number,
    question: { readonly from: number; readonly to: number; readonly texts: readonly string[] },
  ): AsyncIterable<readonly AuditRow[]>;

  /** The last checkpoint that was published, as it was signed. */
  checkpoint(tree: number): Promise<string | undefined>;

  /** Publishes the next checkpoint; false, and nothing is changed, when `before` is not the last one. */
  publish(tree: number, before: string | undefined, next: string): Promise<boolean>;

  close(): Promise<void>;
}

export interface AuditTreeSize {
  /** Entries, which are records of the partition. */
  readonly entries: number;
  /** Moves of refs among them. */
  readonly moves: number;
}

/** One leaf of a tree, and what is kept beside it for questions. */
export interface AuditRow {
  readonly offset: number;
  readonly entry: Uint8Array;
  /** Moves of refs up to it, its own included. */
  readonly moves: number;
  /** JSON text: who, why, which refs and commits. */
  readonly about: string;
}

export interface AuditBatch {
  /** The entries and moves the tree must have before. */
  readonly from: AuditTreeSize;
  readonly rows: readonly AuditRow[];
  readonly paths: readonly Uint8Array[];
  /** Tiles of hashes that are full now or, above the lowest level, grew. */
  readonly tiles: readonly { readonly level: number; readonly index: number; readonly hashes: Uint8Array }[];
}
