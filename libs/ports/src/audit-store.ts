import type { ErrorCode } from '#core/error';

/**
 * The audit trees: one for each partition, and one more over their checkpoints. What it holds can be made again from the
 * log, but for the tree over the checkpoints and for what was published: those are promises. One writer appends, any number
 * read; both steps that change something are a compare-and-swap, so that two writers do no harm.
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

  /** Entries that a question is about, oldest first, in batches. */
  search(tree: number, question: AuditQuestion): AsyncIterable<readonly AuditRow[]>;

  /** The last checkpoint that was published, as it was signed. */
  checkpoint(tree: number): Promise<string | undefined>;

  /**
   * Publishes the next checkpoint, for good: what was published once is found again whatever else is lost. False, and
   * nothing is changed, when `before` is not the last one.
   */
  publish(tree: number, before: string | undefined, next: string): Promise<boolean>;

  /** Who signs says what checks its signatures, before it publishes any. */
  introduce(key: string): Promise<void>;
  /** The public key of who signs; undefined as long as nobody does. */
  key(): Promise<string | undefined>;

  /** Asks those who sign to sign a tree soon, in this process or (where the store can) in all. Lossy: ask again. */
  wish(tree: number): Promise<void>;
  /** Calls for every wish that is heard. */
  onWish(listener: (tree: number) => void): () => void;

  /** Who writes says why it has stopped; undefined: it goes on. Those who only read tell it on. */
  raise(alarm: AuditAlarm | undefined): Promise<void>;
  alarm(): Promise<AuditAlarm | undefined>;

  close(): Promise<void>;
}

export interface AuditAlarm {
  readonly code: ErrorCode;
  readonly message: string;
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

/** Entries in [from, to) whose `about` has every one of the texts in it, and which were appended with all of the words. */
export interface AuditQuestion {
  readonly from: number;
  readonly to: number;
  readonly texts: readonly string[];
  /** For a store to pass over others by; what has all texts must have them. */
  readonly words?: readonly string[];
}

/** A row with what questions name it by. */
export interface NewAuditRow extends AuditRow {
  readonly words?: readonly string[];
}

export interface AuditBatch {
  /** The entries and moves the tree must have before. */
  readonly from: AuditTreeSize;
  readonly rows: readonly NewAuditRow[];
  readonly paths: readonly Uint8Array[];
  /** Tiles of hashes that are full now or, above the lowest level, grew. */
  readonly tiles: readonly { readonly level: number; readonly index: number; readonly hashes: Uint8Array }[];
}
