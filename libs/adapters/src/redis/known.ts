/** Rows of one kind that are known, the absent ones too, and those that were asked for and are not. */
export class Known<Key, Row, Asked = Key> {
  readonly #rows = new Map<Key, Row | undefined>();
  #asked = new Map<Key, Asked>();

  get size(): number {
    return this.#rows.size;
  }

  has(key: Key): boolean {
    return this.#rows.has(key);
  }

  /** The row, or "not there" for what is not known: that is noted. */
  get(key: Key, asked: Asked): Row | undefined {
    const row = this.#rows.get(key);
    if (row === undefined && !this.#rows.has(key)) this.#asked.set(key, asked);
    return row;
  }

  set(key: Key, row: Row): void {
    this.#rows.set(key, row);
  }

  /** For what is known, and may be absent; the rest is left to be found. */
  change(key: Key, row: Row): void {
    if (this.#rows.has(key)) this.#rows.set(key, row);
  }

  asked(): readonly Asked[] {
    return [...this.#asked.values()];
  }

  /** Takes what was found of what was asked for. True when some of it is there, against the answer it got. */
  learn(found: ReadonlyMap<Key, Row>): boolean {
    let isThere = false;
    for (const key of this.#asked.keys()) {
      const row = found.get(key);
      this.#rows.set(key, row);
      isThere ||= row !== undefined;
    }
    this.#asked = new Map();
    return isThere;
  }

  forget(): void {
    this.#rows.clear();
  }
}
