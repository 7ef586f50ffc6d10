import { coalesce } from '#core/coalesce';
import type { CommitId } from '#core/commit';
import type { Digest, DiffId } from '#core/digest';
import type { BlobRow, Change, CommitRow, LayerRow, OutcomeRow, PartitionRow, RepositoryRow } from '#core/graph-row';
import type { RefName, RepositoryName } from '#core/name';
import { OverlayFacts } from '#core/overlay-facts';
import type { RefValue } from '#core/ref';
import type { Checkpoint, GraphBatch, StoredFacts } from '#ports/graph-store';
import type { GraphTables } from './graph-tables.js';
import { KeyFilter } from './key-filter.js';

/** Changes that wait in memory before they are written; an ordinary record makes six. */
const changesMax = 24_576;
/** Commits that are kept to be found by their number: a walk down a chain jumps to the same few again and again. */
const commitsMax = 65_536;

/**
 * A generation under construction. Nobody reads it and a crash throws it away, so what is applied may wait in memory
 * and be written many records at once. That, and knowing of a key that it is new without asking the tables, saves most
 * of what a rebuild would wait for.
 */
export class BufferedTables implements StoredFacts {
  readonly #tables: GraphTables;
  readonly #known = new KeyFilter();
  readonly #commits = new Map<string, CommitRow | undefined>();
  #checkpoint: Checkpoint;
  #overlay: OverlayFacts;

  /** The tables must be empty: what is not applied through here is not there. */
  constructor(tables: GraphTables) {
    this.#tables = tables;
    this.#checkpoint = tables.checkpoint();
    this.#overlay = new OverlayFacts(tables);
  }

  /** Of what was applied, written or not. */
  checkpoint(): Checkpoint {
    return this.#checkpoint;
  }

  get offset(): number {
    return this.#checkpoint.offset;
  }

  apply({ previousOffset, changes, ...next }: GraphBatch): boolean {
    if (previousOffset !== this.offset) return false;
    for (const change of changes) {
      this.#overlay.add(change);
      this.#remember(change);
    }
    this.#checkpoint = { ...next, partition: this.#overlay.partition() };
    if (this.#overlay.changes.length >= changesMax) this.flush();
    return true;
  }

  /** Writes what waits, and the checkpoint. */
  flush(): void {
    const previousOffset = this.#tables.checkpoint().offset;
    if (previousOffset === this.offset) return;
    this.#tables.apply({ ...this.#checkpoint, previousOffset, changes: coalesce(this.#overlay.changes) });
    this.#overlay = new OverlayFacts(this.#tables);
  }

  partition(): PartitionRow {
    return this.#overlay.partition();
  }

  repository(repo: RepositoryName): RepositoryRow | undefined {
    return this.#overlay.repository(repo);
  }

  commit(repo: RepositoryName, id: CommitId): CommitRow | undefined {
    return this.#known.mayHave(id) ? this.#overlay.commit(repo, id) : undefined;
  }

  commitAt(repo: RepositoryName, seq: number): CommitRow | undefined {
    const key = `${repo} ${seq}`;
    const kept = this.#commits.get(key);
    if (kept) return kept;
    const row = this.#overlay.commitAt(repo, seq);
    if (this.#commits.size >= commitsMax) this.#commits.clear();
    this.#commits.set(key, row);
    return row;
  }

  ref(repo: RepositoryName, ref: RefName): RefValue | undefined {
    return this.#overlay.ref(repo, ref);
  }

  outcome(txid: string): OutcomeRow | undefined {
    return this.#known.mayHave(txid) ? this.#overlay.outcome(txid) : undefined;
  }

  layer(diffId: DiffId): LayerRow | undefined {
    return this.#known.mayHave(diffId) ? this.#overlay.layer(diffId) : undefined;
  }

  blobs(digest: Digest): readonly BlobRow[] {
    return this.#known.mayHave(digest) ? this.#overlay.blobs(digest) : [];
  }

  #remember(change: Change): void {
    if (change.type === 'commit') this.#known.add(change.after.id);
    else if (change.type === 'outcome') this.#known.add(change.after.txid);
    else if (change.type === 'layer') this.#known.add(change.after.diffId);
    else if (change.type === 'blob' && change.after) this.#known.add(change.after.digest);
  }
}
