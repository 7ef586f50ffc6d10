import type { CommitId } from '#core/commit';
import type { CommitRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import { bytesChunkKey, bytesPerChunk } from './graph-keys.js';

/** Reads the list under a key, whole. */
type ReadList = (repo: RepositoryName, key: string) => Promise<readonly Buffer[]>;

interface List {
  readonly bytes: readonly Buffer[];
  readonly sizeBytes: number;
}

/** A power of two: a place is found by the last digits of the id. */
const placesMax = 4_096;

/**
 * Canonical bytes of commits, kept in this process as they are read: a list of neighbours at a time, for who shows a page
 * of a log asks for them next. Kept like places of commits: until the owner says `clear`.
 */
export class CommitBytes {
  readonly #read: ReadList;
  readonly #bytesMax: number;
  readonly #lists = new Map<string, List>();
  readonly #places: (CommitRow | undefined)[] = [];
  #sizeBytes = 0;
  #age = 0;

  constructor(read: ReadList, cacheBytes: number) {
    this.#read = read;
    this.#bytesMax = cacheBytes;
  }

  clear(): void {
    this.#lists.clear();
    this.#places.length = 0;
    this.#sizeBytes = 0;
    this.#age += 1;
  }

  /** Remembers a commit that was given out: its bytes are often wanted next. Costs little, for a walk gives out many. */
  remember(row: CommitRow): void {
    this.#places[placeOf(row.id)] = row;
  }

  seqOf(repo: RepositoryName, id: CommitId): number | undefined {
    const row = this.#places[placeOf(id)];
    return row?.id === id && row.repo === repo ? row.seq : undefined;
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

/** Three hex digits as a number below 4,096. */
function placeOf(id: CommitId): number {
  return Number.parseInt(id.slice(-3), 16) % placesMax;
}
