import type { CommitId } from '#core/commit';
import type { CommitRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import { CommitBytes } from './commit-bytes.js';
import { CommitChunks } from './commit-chunks.js';
import { commitOf } from './find-facts.js';
import type { GraphAnswers, GraphQuestion } from './graph-question.js';
import type { GraphReads } from './graph-reads.js';
import type { GraphServer } from './graph-server.js';
import { type Ask, chunkReader } from './live-graph.js';

/** The part of the cache for bytes; places are many more and asked for more often. */
const bytesShare = 0.25;

/**
 * The live graph as this process sees it, with what it keeps of commits. They never change, but what is kept belongs to
 * one generation of one Redis: it is dropped when a partition is seen in another generation or further back, which one
 * connection tells in order; when a connection was lost, for what is there afterwards may be an older snapshot that went
 * on; and when a promotion is heard of.
 */
export class LiveView {
  readonly partitionCount: number;
  readonly chunks: CommitChunks;
  readonly bytes: CommitBytes;
  readonly #reader: Connection;
  readonly #writer: Connection;

  constructor(server: GraphServer, cacheBytes: number) {
    this.partitionCount = server.keys.partitionCount;
    this.chunks = new CommitChunks(chunkReader(this.ask, this.partitionCount), cacheBytes * (1 - bytesShare));
    this.bytes = new CommitBytes(async (repo, key) => {
      const { answers } = await this.ask(partitionOf(repo, this.partitionCount), [['list', key]]);
      return (answers[0] ?? []) as readonly Buffer[];
    }, cacheBytes * bytesShare);
    const clear = () => this.clear();
    this.#reader = new Connection(server.reads, clear);
    this.#writer = new Connection(server.readsInOrder, clear);
    server.onLost(clear);
  }

  clear(): void {
    this.chunks.clear();
    this.bytes.clear();
  }

  readonly ask: Ask = (partition, questions) => this.#reader.ask(partition, questions);

  /** Comes after everything this process has written. */
  readonly askInOrder: Ask = (partition, questions) => this.#writer.ask(partition, questions);

  /** The one that was live when a partition was last looked at before a write, or is now. */
  async generation(partition: number): Promise<string | null> {
    return this.#writer.lastSeen(partition) ?? (await this.askInOrder(partition, [])).generation;
  }

  /** Always as it is stored now. */
  async commit(repo: RepositoryName, id: CommitId): Promise<CommitRow | undefined> {
    const { answers } = await this.ask(partitionOf(repo, this.partitionCount), [
      ['commit', repo, Buffer.from(id, 'hex')],
    ]);
    return answers[0] ? this.#told(commitOf(repo, answers[0])) : undefined;
  }

  /** What is kept is answered without a detour: a walk asks for thousands. */
  commitAt(repo: RepositoryName, seq: number): Promise<CommitRow | undefined> {
    const kept = this.chunks.now(repo, seq);
    if (kept) return Promise.resolve(this.#told(kept));
    return this.chunks.at(repo, seq).then((row) => row && this.#told(row));
  }

  async commitBytes(repo: RepositoryName, id: CommitId): Promise<Buffer | undefined> {
    const seq = this.bytes.seqOf(repo, id) ?? (await this.commit(repo, id))?.seq;
    return seq === undefined ? undefined : this.bytes.at(repo, seq);
  }

  #told(row: CommitRow): CommitRow {
    this.bytes.remember(row);
    return row;
  }
}

/** One connection, and what it has told of each partition. */
class Connection {
  readonly #reads: GraphReads;
  readonly #changed: () => void;
  readonly #seen = new Map<number, Pick<GraphAnswers, 'generation' | 'offset'>>();

  constructor(reads: GraphReads, changed: () => void) {
    this.#reads = reads;
    this.#changed = changed;
  }

  lastSeen(partition: number): string | null | undefined {
    return this.#seen.get(partition)?.generation;
  }

  async ask(partition: number, questions: readonly GraphQuestion[]): Promise<GraphAnswers> {
    const found = await this.#reads.ask(partition, questions);
    const seen = this.#seen.get(partition);
    if (seen && (seen.generation !== found.generation || seen.offset > found.offset)) this.#changed();
    this.#seen.set(partition, found);
    return found;
  }
}
