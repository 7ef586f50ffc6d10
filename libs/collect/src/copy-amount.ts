import { limit } from '#core/limit';
import type { StoredBlob } from '#ports/blob-store';

export interface CopyAmount {
  readonly count: number;
  readonly bytes: number;
}

/** Counts copies and the bytes they take. */
export class CopyCount {
  #count = 0;
  #bytes = 0;

  add(copies: readonly Pick<StoredBlob, 'size'>[]): void {
    this.#count += copies.length;
    for (const { size } of copies) this.#bytes += size;
  }

  amount(): CopyAmount {
    return { count: this.#count, bytes: this.#bytes };
  }
}

/** What a run has come across. */
export class Tally {
  readonly stored = new CopyCount();
  readonly candidates = new CopyCount();
  readonly kept = new CopyCount();
  readonly #removed = new CopyCount();
  readonly #copies: StoredBlob[] = [];

  remove(copies: readonly StoredBlob[]): void {
    this.#removed.add(copies);
    this.#copies.push(...copies.slice(0, limit.collectListMax - this.#copies.length));
  }

  report() {
    return {
      stored: this.stored.amount(),
      candidates: this.candidates.amount(),
      kept: this.kept.amount(),
      removed: this.#removed.amount(),
      copies: this.#copies,
    };
  }
}
