import type { AuditAlarm } from '#ports/audit-store';

/** Wishes and the alarm of a store that one process has for itself: they end with it. */
export class AuditNotices {
  alarm: AuditAlarm | undefined;
  readonly #listeners = new Set<(tree: number) => void>();

  wish(tree: number): void {
    for (const listener of this.#listeners) listener(tree);
  }

  onWish(listener: (tree: number) => void): () => void {
    // Of its own, so that one who listens twice hears twice and leaves once.
    const own = (tree: number) => listener(tree);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }
}
