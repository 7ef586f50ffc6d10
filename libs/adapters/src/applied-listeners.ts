import type { Change, OutcomeRow } from '#core/graph-row';
import type { AppliedNotice, GraphBatch } from '#ports/graph-store';

/** Those in this process who want to know of every batch that was applied. */
export class AppliedListeners {
  readonly #listeners = new Set<(notice: AppliedNotice) => void>();

  add(listener: (notice: AppliedNotice) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(partition: number, batch: GraphBatch): void {
    if (this.#listeners.size === 0) return;
    this.hear({ partition, offset: batch.offset, outcomes: outcomesOf(batch.changes) });
  }

  /** The same, of what was applied elsewhere. */
  hear(notice: AppliedNotice): void {
    for (const listener of this.#listeners) listener(notice);
  }
}

function outcomesOf(changes: readonly Change[]): OutcomeRow[] {
  return changes.flatMap((change) => (change.type === 'outcome' ? [change.after] : []));
}
