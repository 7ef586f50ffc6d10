import { coalesce } from '#core/coalesce';
import type { Facts } from '#core/graph-row';
import { OverlayFacts } from '#core/overlay-facts';
import type { Checkpoint, GraphBatch, StoredFacts } from '#ports/graph-store';
import { FilteredFacts } from './filtered-facts.js';
import type { GraphTables } from './graph-tables.js';

/** Changes that wait in memory before they are written; an ordinary record makes six. Writing them takes a second or less. */
const changesMax = 49_152;

/**
 * A generation under construction. Nobody reads it and a crash throws it away, so what is applied may wait in memory
 * and be written many records at once: every page of an index is touched once a flush, not once a record.
 */
export class BufferedTables {
  readonly #tables: GraphTables;
  readonly #written: FilteredFacts;
  #waiting: OverlayFacts;
  #checkpoint: Checkpoint;

  /** The tables must be empty: what is not applied through here is not there. */
  constructor(tables: GraphTables) {
    this.#tables = tables;
    this.#written = new FilteredFacts(tables);
    this.#waiting = new OverlayFacts(this.#written);
    this.#checkpoint = tables.checkpoint();
  }

  /** Of what was applied, written or not. */
  checkpoint(): Checkpoint {
    return this.#checkpoint;
  }

  facts(): StoredFacts {
    return factsAt(this.#checkpoint.offset, this.#waiting);
  }

  apply({ previousOffset, changes, ...next }: GraphBatch): boolean {
    if (previousOffset !== this.#checkpoint.offset) return false;
    for (const change of changes) {
      this.#waiting.add(change);
      this.#written.remember(change);
    }
    this.#checkpoint = { ...next, partition: this.#waiting.partition() };
    if (this.#waiting.changes.length >= changesMax) this.flush();
    return true;
  }

  /** Writes what waits, and the checkpoint. */
  flush(): void {
    const previousOffset = this.#tables.checkpoint().offset;
    if (previousOffset === this.#checkpoint.offset) return;
    this.#tables.apply({ ...this.#checkpoint, previousOffset, changes: coalesce(this.#waiting.changes) });
    this.#waiting = new OverlayFacts(this.#written);
  }
}

function factsAt(offset: number, facts: Facts): StoredFacts {
  return {
    offset,
    partition: () => facts.partition(),
    repository: (repo) => facts.repository(repo),
    commit: (repo, id) => facts.commit(repo, id),
    commitAt: (repo, seq) => facts.commitAt(repo, seq),
    ref: (repo, ref) => facts.ref(repo, ref),
    outcome: (txid) => facts.outcome(txid),
    layer: (diffId) => facts.layer(diffId),
    blobs: (digest) => facts.blobs(digest),
  };
}
