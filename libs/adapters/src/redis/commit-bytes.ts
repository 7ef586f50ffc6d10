import type { CommitId } from '#core/commit';
import type { RepositoryName } from '#core/name';
import { bytesChunkKey, bytesPerChunk } from './graph-keys.js';

/** Reads the list under a key, whole. */
type ReadList = (repo: RepositoryName, key: string) => Promise<readonly Buffer[]>;

interface List {
  readonly bytes: readonly Buffer[];
  readonly sizeBytes: number;
}

const seqsMax = 100_000;

/**
 * Canonical bytes of commits, kept in this process as they are read: a list of neighbours at a time, for who shows a page
 * of a log asks for them next. Kept like places of commits: until the owner says `clear`.
 */
export class CommitBytes {
  readonly #read: ReadList;
  readonly #bytesMax: number;
  readonly #lists = new Map<string, List>();
  readonly #seqs = new Map<string, number>();
  #sizeBytes = 0;
  #age = 0;

  constructor(read: ReadList, cacheBytes: number) {
    this.#read = read;
    this.#bytesMax = cacheBytes;
  }

  clear(): void {
    this.#lists.clear();
    this.#seqs.clear();
    this.#sizeBytes = 0;
    this.#age += 1;
  }

  /** Remembers the number of a commit that was given out: its bytes are often wanted next. */
  remember({ repo, id, seq }: { readonly repo: RepositoryName; readonly id: CommitId; readonly seq: number }): void {
    if (this.#seqs.size >= seqsMax) this.#seqs.clear();
    this.#seqs.set(`${repo} ${id}`, seq);
  }

  seqOf(repo: RepositoryName, id: CommitId): number | undefined {
    return this.#seqs.get(`${repo} ${id}`);
  }

  async at(repo: RepositoryName, seq: number): Promise<Buffer | undefined> {
    const key = bytesChunkKey(repo, seq);
    const kept = this.#lists.get(key)?.bytes[seq % bytesPerChunk];
    if (kept) return kept;
    const age = this.#age;
    const bytes = await this.#read(repo, key);
    if (age === this.#age) this.#keep(key, bytes);
    return bytes[seq % bytesPerChunk];
  }

  #keep(key: string, bytes: readonly Buffer[]): void {
    this.#drop(key);
    const sizeBytes = bytes.reduce((sum, { length }) => sum + length, 0);
    this.#lists.set(key, { bytes, sizeBytes });
    this.#sizeBytes += sizeBytes;
    // The one that has been here longest.
    for (const oldest of this.#lists.keys()) {
      if (this.#sizeBytes <= this.#bytesMax) return;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    const list = this.#lists.get(key);
    if (!list) return;
    this.#lists.delete(key);
    this.#sizeBytes -= list.sizeBytes;
  }
}
