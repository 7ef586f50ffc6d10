import type { CommitId } from '#core/commit';
import type { Digest, DiffId } from '#core/digest';
import { assert } from '#core/error';
import {
  type AliasKind,
  type AliasRow,
  type BlobRow,
  type CommitRow,
  copyToRead,
  type ReflogRow,
  type RepositoryRow,
} from '#core/graph-row';
import type { RefName, RepositoryName } from '#core/name';
import type { RefValue } from '#core/ref';
import { partitionOf } from '#core/partition';
import type {
  AppliedNotice,
  Checkpoint,
  GraphBatch,
  GraphGeneration,
  GraphReader,
  GraphStore,
  StoredFacts,
} from '#ports/graph-store';
import { AppliedListeners } from '../applied-listeners.js';
import { keyOf, MemoryPartition, type MemoryRepository } from './memory-partition.js';

/** A graph that lives as long as the process. */
export function openMemoryGraphStore(partitionCount = 1): GraphStore {
  return new MemoryGraphStore(partitionCount);
}

type Page = Parameters<GraphReader['commits']>[1];
type ReflogPage = Parameters<GraphReader['reflog']>[1];

class MemoryGraphStore implements GraphStore {
  readonly partitionCount: number;
  #live: readonly MemoryPartition[];
  #building: MemoryGeneration | undefined;
  readonly #listeners = new AppliedListeners();

  constructor(partitionCount: number) {
    this.partitionCount = partitionCount;
    this.#live = emptyPartitions(partitionCount);
  }

  async checkpoint(partition: number): Promise<Checkpoint> {
    return this.#partition(partition).checkpoint;
  }

  async facts(partition: number): Promise<StoredFacts> {
    return this.#partition(partition);
  }

  async apply(partition: number, batch: GraphBatch): Promise<boolean> {
    const applied = this.#partition(partition).apply(batch);
    if (applied) this.#listeners.tell(partition, batch);
    return applied;
  }

  async beginGeneration(): Promise<GraphGeneration> {
    assert(!this.#building, 'a generation of the graph is being built already');
    const partitions = emptyPartitions(this.partitionCount);
    this.#building = new MemoryGeneration(
      partitions,
      () => this.#promote(partitions),
      () => (this.#building = undefined),
    );
    return this.#building;
  }

  #promote(partitions: readonly MemoryPartition[]): boolean {
    if (this.#live.some((live, i) => live.checkpoint.offset > partitionIn(partitions, i).checkpoint.offset))
      return false;
    this.#live = partitions;
    this.#building = undefined;
    return true;
  }

  async outcome(partition: number, txid: string) {
    return this.#partition(partition).outcome(txid);
  }

  async outcomeAt(partition: number, txid: string) {
    const live = this.#partition(partition);
    return { checkpoint: live.checkpoint, row: live.outcome(txid) };
  }

  async repositories(): Promise<readonly RepositoryRow[]> {
    const rows = this.#live.flatMap((partition) => [...partition.repositories.values()].map(({ row }) => row));
    return rows.toSorted((a, b) => (a.repo < b.repo ? -1 : 1));
  }

  async repository(repo: RepositoryName) {
    return this.#repository(repo)?.row;
  }

  async ref(repo: RepositoryName, ref: RefName) {
    return this.#repository(repo)?.refs.get(ref);
  }

  async refs(repo: RepositoryName, upTo?: number) {
    const values = upTo === undefined ? this.#repository(repo)?.refs : this.#refsUpTo(repo, upTo);
    const rows = [...(values ?? [])].flatMap(([ref, { commit, version }]) =>
      commit === null ? [] : [{ ref, value: { commit, version } }],
    );
    return rows.toSorted((a, b) => (a.ref < b.ref ? -1 : 1));
  }

  async reflog(repo: RepositoryName, { ref, before = Number.POSITIVE_INFINITY, limit }: ReflogPage) {
    const rows = this.#reflogOf(repo, ref).filter((row) => row.version < before);
    return rows.toReversed().slice(0, limit);
  }

  async reflogAt(repo: RepositoryName, ref: RefName, n: number) {
    return this.#reflogOf(repo, ref).at(-1 - n);
  }

  async commit(repo: RepositoryName, id: CommitId) {
    return this.#partitionOf(repo).commit(repo, id);
  }

  async commitAt(repo: RepositoryName, seq: number) {
    return this.#partitionOf(repo).commitAt(repo, seq);
  }

  async commitBytes(repo: RepositoryName, id: CommitId) {
    return this.#repository(repo)?.bytes.get(id);
  }

  async commits(
    repo: RepositoryName,
    { before = Number.POSITIVE_INFINITY, limit }: Page,
  ): Promise<readonly CommitRow[]> {
    const commits = this.#repository(repo)?.commits ?? [];
    const end = Math.min(before, commits.length);
    return commits.slice(Math.max(0, end - limit), end).toReversed();
  }

  async commitsByPrefix(repo: RepositoryName, hexPrefix: string, limit: number): Promise<readonly CommitRow[]> {
    const commits = this.#repository(repo)?.commits ?? [];
    const found = commits.filter((row) => row.id.startsWith(hexPrefix));
    return found.toSorted((a, b) => (a.id < b.id ? -1 : 1)).slice(0, limit);
  }

  async aliasesByPrefix(repo: RepositoryName, hexPrefix: string, kinds: readonly AliasKind[], limit: number) {
    const aliases: readonly AliasRow[] = this.#repository(repo)?.aliases ?? [];
    return aliases.filter(({ kind, hex }) => kinds.includes(kind) && hex.startsWith(hexPrefix)).slice(0, limit);
  }

  async layer(repo: RepositoryName, diffId: DiffId) {
    return this.#partitionOf(repo).layer(diffId);
  }

  async blob(repo: RepositoryName, digest: Digest): Promise<BlobRow | undefined> {
    return copyToRead(this.#partitionOf(repo).blobs(digest));
  }

  async copies(partition: number, digests: readonly Digest[]): Promise<readonly BlobRow[]> {
    return digests.flatMap((digest) => this.#partition(partition).blobs(digest));
  }

  async retiredCopies(partition: number, { after, limit }: Parameters<GraphReader['retiredCopies']>[1]) {
    const rows = this.#partition(partition).retired();
    return (after ? rows.filter((row) => keyOf(row) > keyOf(after)) : rows).slice(0, limit);
  }

  onApplied(listener: (notice: AppliedNotice) => void): () => void {
    return this.#listeners.add(listener);
  }

  async close(): Promise<void> {}

  #partition(partition: number): MemoryPartition {
    return partitionIn(this.#live, partition);
  }

  #partitionOf(repo: RepositoryName): MemoryPartition {
    return this.#partition(partitionOf(repo, this.partitionCount));
  }

  #repository(repo: RepositoryName): MemoryRepository | undefined {
    return this.#partitionOf(repo).repositories.get(repo);
  }

  #refsUpTo(repo: RepositoryName, upTo: number): ReadonlyMap<RefName, RefValue> {
    const moves = this.#reflogOf(repo, undefined).filter(({ version }) => version <= upTo);
    return new Map(moves.map(({ ref, to, version }) => [ref, { commit: to, version }]));
  }

  #reflogOf(repo: RepositoryName, ref: RefName | undefined): readonly ReflogRow[] {
    const rows = this.#repository(repo)?.reflog ?? [];
    return ref === undefined ? rows : rows.filter((row) => row.ref === ref);
  }
}

class MemoryGeneration implements GraphGeneration {
  readonly partitionCount: number;
  readonly #partitions: readonly MemoryPartition[];
  readonly #promote: () => boolean;
  readonly #discard: () => void;

  constructor(partitions: readonly MemoryPartition[], promote: () => boolean, discard: () => void) {
    this.partitionCount = partitions.length;
    this.#partitions = partitions;
    this.#promote = promote;
    this.#discard = discard;
  }

  async checkpoint(partition: number) {
    return partitionIn(this.#partitions, partition).checkpoint;
  }

  async facts(partition: number) {
    return partitionIn(this.#partitions, partition);
  }

  async apply(partition: number, batch: GraphBatch) {
    return partitionIn(this.#partitions, partition).apply(batch);
  }

  async promote() {
    return this.#promote();
  }

  async discard() {
    this.#discard();
  }
}

function emptyPartitions(count: number): MemoryPartition[] {
  return Array.from({ length: count }, () => new MemoryPartition());
}

function partitionIn(partitions: readonly MemoryPartition[], partition: number): MemoryPartition {
  const rows = partitions[partition];
  assert(rows, `there is no partition ${partition}: the graph has ${partitions.length}`);
  return rows;
}
