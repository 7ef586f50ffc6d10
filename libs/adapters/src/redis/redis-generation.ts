import type { Digest, DiffId } from '#core/digest';
import { VarveError } from '#core/error';
import { type Change, type CommitRow, newPartition } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import { emptyStateDigest } from '#core/state-digest';
import type { Checkpoint, GraphBatch, GraphGeneration, StoredFacts } from '#ports/graph-store';
import { KeyFilter } from '../key-filter.js';
import { CommitChunks } from './commit-chunks.js';
import { RecentCommits } from './recent-commits.js';
import { questionsFor } from './find-facts.js';
import type { GraphServer } from './graph-server.js';
import { type FactSource, type FoundFacts, KnownFacts, type NamedFacts, type SeqOf } from './known-facts.js';
import { type Ask, chunkReader, loadJumps, lostCommit } from './live-graph.js';

/** How long a claim holds without a sign of life, and how often there is one. */
const claimMs = 15_000;
const renewMs = 5_000;

const chunkCacheBytes = 64 << 20;

/** What becomes of a generation is the store's to know. */
export interface GenerationEnd {
  promoted(): void;
  discarded(): Promise<void>;
}

/**
 * A generation under construction. Only this process writes to it, and a crash throws it away, so facts are remembered
 * instead of read again, and the next batch is folded while the last one is being written.
 */
export class RedisGeneration implements GraphGeneration {
  readonly partitionCount: number;
  readonly name: string;
  readonly #server: GraphServer;
  readonly #partitions: readonly BuildingPartition[];
  readonly #end: GenerationEnd;
  readonly #renewal: NodeJS.Timeout;
  #isLost = false;
  #isOver = false;

  private constructor(server: GraphServer, name: string, end: GenerationEnd) {
    this.#server = server;
    this.name = name;
    this.partitionCount = server.keys.partitionCount;
    const known = new KeyFilter();
    this.#partitions = Array.from(
      { length: this.partitionCount },
      (_, partition) => new BuildingPartition(server, { generation: name, partition }, known),
    );
    this.#end = end;
    this.#renewal = setInterval(() => void this.#renew(), renewMs);
    this.#renewal.unref();
  }

  /** @throws UNAVAILABLE while another process builds one */
  static async begin(server: GraphServer, end: GenerationEnd): Promise<RedisGeneration> {
    return new RedisGeneration(server, await server.beginGeneration(claimMs), end);
  }

  async checkpoint(partition: number): Promise<Checkpoint> {
    return this.#partition(partition).checkpoint;
  }

  async facts(partition: number): Promise<StoredFacts> {
    return this.#partition(partition).facts;
  }

  async apply(partition: number, batch: GraphBatch): Promise<boolean> {
    if (this.#isLost) throw lost();
    return this.#partition(partition).apply(batch);
  }

  async promote(): Promise<boolean> {
    for (const partition of this.#partitions) await partition.written();
    const answer = await this.#server.promote(this.name);
    if (answer === 'behind') return false;
    if (answer === 'lost') throw lost();
    this.#over();
    this.#end.promoted();
    return true;
  }

  async discard(): Promise<void> {
    if (this.#isOver) return;
    this.#over();
    // What is under way may fail: it is thrown away.
    await Promise.allSettled(this.#partitions.map((partition) => partition.written()));
    await this.#end.discarded();
  }

  #over(): void {
    this.#isOver = true;
    clearInterval(this.#renewal);
  }

  /** A server that is away for a while may still have the claim when it is back. */
  async #renew(): Promise<void> {
    const isHeld = await this.#server.renewClaim(this.name, claimMs).catch(() => true);
    if (!isHeld && !this.#isOver) this.#isLost = true;
  }

  #partition(partition: number): BuildingPartition {
    const found = this.#partitions[partition];
    if (found) return found;
    throw new VarveError('INTERNAL', `there is no partition ${partition}: the graph has ${this.partitionCount}`);
  }
}

class BuildingPartition implements FactSource {
  readonly facts: KnownFacts;
  checkpoint: Checkpoint = { offset: -1, recordDigest: '', stateDigest: emptyStateDigest, partition: newPartition };
  readonly #server: GraphServer;
  readonly #target: { readonly kind: 'build'; readonly generation: string; readonly partition: number };
  /** What was ever put into the generation; the partitions share it, for nothing is put into two of them. */
  readonly #known: KeyFilter;
  readonly #ask: Ask;
  readonly #chunks: CommitChunks;
  readonly #recent = new RecentCommits();
  #writing: Promise<void> = Promise.resolve();

  constructor(
    server: GraphServer,
    target: { readonly generation: string; readonly partition: number },
    known: KeyFilter,
  ) {
    this.#server = server;
    this.#target = { kind: 'build', ...target };
    this.#known = known;
    this.#ask = (partition, questions) => server.readsInOrder.ask(partition, questions, target.generation);
    this.#chunks = new CommitChunks(chunkReader(this.#ask, server.keys.partitionCount), chunkCacheBytes);
    this.facts = new KnownFacts(this.checkpoint, this);
  }

  async apply(batch: GraphBatch): Promise<boolean> {
    if (batch.previousOffset !== this.checkpoint.offset) return false;
    await this.#writing;
    this.#writing = this.#write(batch);
    // Whoever waits for it next hears of a failure; until then nobody need.
    this.#writing.catch(() => undefined);
    this.facts.advance(batch.offset, batch.changes);
    for (const change of batch.changes) this.#remember(change);
    const { offset, recordDigest, stateDigest } = batch;
    this.checkpoint = { offset, recordDigest, stateDigest, partition: this.facts.partition() };
    return true;
  }

  /** When all that was applied is written. @throws what writing failed with */
  async written(): Promise<void> {
    await this.#writing;
  }

  async find(offset: number, names: NamedFacts, seqs: readonly SeqOf[]): Promise<FoundFacts | undefined> {
    await this.#writing;
    const missing = await loadJumps(this.#chunks, seqs);
    const { questions, read } = questionsFor(names);
    const found = await this.#ask(this.#target.partition, questions);
    if (found.offset !== offset) throw lost();
    if (missing) throw lostCommit(missing);
    return read(found.answers);
  }

  commitNow(repo: RepositoryName, seq: number): CommitRow | undefined {
    return this.#recent.get(repo, seq) ?? this.#chunks.now(repo, seq);
  }

  isNew(hex: string | Digest | DiffId): boolean {
    return !this.#known.mayHave(hex);
  }

  async #write(batch: GraphBatch): Promise<void> {
    if ((await this.#server.apply(this.#target, batch)) !== 'applied') throw lost();
  }

  #remember(change: Change): void {
    if (change.type === 'commit') {
      this.#known.add(change.after.id);
      this.#recent.add(change.after);
    } else if (change.type === 'outcome') this.#known.add(change.after.txid);
    else if (change.type === 'layer') this.#known.add(change.after.diffId);
    // The blob of a plain layer has the name of the layer, and is added twice.
    else if (change.type === 'blob' && change.after) this.#known.add(change.after.digest);
  }
}

function lost(): VarveError {
  const message =
    'the graph that was being made is lost: Redis lost it, or another process makes one; make it again when that is done';
  return new VarveError('UNAVAILABLE', message);
}
