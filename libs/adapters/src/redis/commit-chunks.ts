import type { CommitRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import { commitRowBytes, commitRowsPerChunk, namesMoreParents, readCommitRow } from './commit-row-codec.js';

/** A chunk as it is stored: whole, or the last one of its repository; and the parents that have no room in its rows. */
export interface StoredChunk {
  readonly rows: Buffer;
  readonly more: ReadonlyMap<number, Buffer>;
}

/** Reads chunks of a repository, in the order asked for; undefined where there is none. */
export type ReadChunks = (
  repo: RepositoryName,
  chunks: readonly number[],
) => Promise<readonly (StoredChunk | undefined)[]>;

interface Chunk extends StoredChunk {
  readonly decoded: (CommitRow | undefined)[];
  isUsed: boolean;
}

/** What a decoded row takes in memory, about. */
const rowBytes = 450;
const chunkCost = commitRowsPerChunk * (commitRowBytes + rowBytes);
const aheadMax = 64;

/**
 * Places of commits, kept in this process as the bytes they are stored as: a commit never changes once it is accepted,
 * so whoever walks the DAG asks Redis for what it has not seen, a chunk at a time, and more of them the longer it walks
 * one way. Not kept: that a commit is not there.
 *
 * A place holds within one generation of one Redis that does not go back: the owner calls `clear` when that is over.
 */
export class CommitChunks {
  readonly #read: ReadChunks;
  readonly #chunksMax: number;
  readonly #chunks = new Map<string, Chunk>();
  #age = 0;
  #last: { readonly repo: RepositoryName; readonly number: number; readonly chunk: Chunk } | undefined;
  #ahead = 1;
  #lastLoaded = -1;

  constructor(read: ReadChunks, cacheBytes: number) {
    this.#read = read;
    this.#chunksMax = Math.max(aheadMax, Math.floor(cacheBytes / chunkCost));
  }

  clear(): void {
    this.#chunks.clear();
    this.#last = undefined;
    this.#age += 1;
  }

  /** The row, if it is kept. */
  now(repo: RepositoryName, seq: number): CommitRow | undefined {
    const number = Math.floor(seq / commitRowsPerChunk);
    // Neighbours are asked for one after the other.
    if (this.#last?.number !== number || this.#last.repo !== repo) {
      const found = this.#chunks.get(`${number} ${repo}`);
      if (!found) return undefined;
      found.isUsed = true;
      this.#last = { repo, number, chunk: found };
    }
    return rowIn(this.#last.chunk, repo, seq);
  }

  /** The row, kept or not; undefined when there is none. @throws what reading throws */
  async at(repo: RepositoryName, seq: number): Promise<CommitRow | undefined> {
    for (;;) {
      const kept = this.now(repo, seq);
      if (kept) return kept;
      const age = this.#age;
      const chunk = await this.#load(repo, Math.floor(seq / commitRowsPerChunk));
      // As it was read, not as it is kept: others may have taken its room by now.
      if (age === this.#age) return chunk && rowIn(chunk, repo, seq);
    }
  }

  /** The chunk, and with it those that a walk down asks for next. */
  async #load(repo: RepositoryName, number: number): Promise<Chunk | undefined> {
    // Walks go from children to parents: down.
    this.#ahead = this.#lastLoaded - number === 1 ? Math.min(2 * this.#ahead, aheadMax) : 1;
    const count = Math.min(this.#ahead, number + 1);
    const numbers = Array.from({ length: count }, (_, i) => number - i);
    this.#lastLoaded = number - count + 1;
    const age = this.#age;
    const found = await this.#read(repo, numbers);
    if (age !== this.#age) return undefined;
    const chunks = found.map((stored) => stored && { ...stored, decoded: [], isUsed: true });
    // The one that was asked for last, so that it is the youngest.
    numbers.toReversed().forEach((each) => {
      const chunk = chunks[number - each];
      if (chunk) this.#keep(`${each} ${repo}`, chunk);
    });
    return chunks[0];
  }

  #keep(key: string, chunk: Chunk): void {
    this.#chunks.delete(key);
    this.#last = undefined;
    // The oldest that was not used since it was last passed over.
    for (const [oldest, passed] of this.#chunks) {
      if (this.#chunks.size < this.#chunksMax) break;
      this.#chunks.delete(oldest);
      if (passed.isUsed) this.#chunks.set(oldest, Object.assign(passed, { isUsed: false }));
    }
    this.#chunks.set(key, chunk);
  }
}

function rowIn(chunk: Chunk, repo: RepositoryName, seq: number): CommitRow | undefined {
  const at = seq % commitRowsPerChunk;
  return (chunk.decoded[at] ??= decode(chunk, { repo, seq, at }));
}

function decode(
  { rows, more }: StoredChunk,
  { repo, seq, at }: { readonly repo: RepositoryName; readonly seq: number; readonly at: number },
): CommitRow | undefined {
  const start = at * commitRowBytes;
  return start + commitRowBytes > rows.length
    ? undefined
    : readCommitRow(rows, start, { repo, seq, more: more.get(seq) });
}

/** The commits of a chunk that have more parents than their row has room for. */
export function seqsWithMoreParents(rows: Buffer, chunk: number): number[] {
  const seqs: number[] = [];
  for (let at = 0; at + commitRowBytes <= rows.length; at += commitRowBytes) {
    if (namesMoreParents(rows, at)) seqs.push(chunk * commitRowsPerChunk + at / commitRowBytes);
  }
  return seqs;
}
