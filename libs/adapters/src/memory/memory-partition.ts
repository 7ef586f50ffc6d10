import type { CommitId } from '#core/commit';
import type { Digest, DiffId } from '#core/digest';
import { unreachable } from '#core/error';
import {
  type AliasRow,
  type BlobRow,
  type Change,
  type CommitRow,
  isNamedCopy,
  type LayerRow,
  newPartition,
  keptStretches,
  type OutcomeRow,
  type PartitionRow,
  type ReflogRow,
  type RepositoryRow,
} from '#core/graph-row';
import type { RefName, RepositoryName } from '#core/name';
import { byIncarnation } from '#core/overlay-facts';
import type { RefValue } from '#core/ref';
import { emptyStateDigest } from '#core/state-digest';
import type { Checkpoint, GraphBatch, StoredFacts } from '#ports/graph-store';

/** Everything of one repository. */
export interface MemoryRepository {
  row: RepositoryRow;
  readonly commits: CommitRow[];
  readonly seqs: Map<CommitId, number>;
  readonly bytes: Map<CommitId, Uint8Array>;
  readonly aliases: AliasRow[];
  readonly refs: Map<RefName, RefValue>;
  /** In the order of their versions. */
  readonly reflog: ReflogRow[];
}

/** The rows of one partition of one generation, in maps. */
export class MemoryPartition implements StoredFacts {
  readonly repositories = new Map<RepositoryName, MemoryRepository>();
  /** By stretch, so that those of one are forgotten at once. */
  readonly #outcomes = new Map<number, Map<string, OutcomeRow>>();
  readonly #layers = new Map<DiffId, LayerRow>();
  readonly #blobs = new Map<Digest, readonly BlobRow[]>();
  checkpoint: Checkpoint = {
    offset: -1,
    recordDigest: '',
    stateDigest: emptyStateDigest,
    partition: newPartition,
  };

  get offset(): number {
    return this.checkpoint.offset;
  }

  /** One step that nothing can come between; false when it does not follow the checkpoint. */
  apply({ previousOffset, changes, ...next }: GraphBatch): boolean {
    if (this.checkpoint.offset !== previousOffset) return false;
    for (const change of changes) this.#set(change);
    this.checkpoint = { ...this.checkpoint, ...next };
    return true;
  }

  partition(): PartitionRow {
    return this.checkpoint.partition;
  }

  repository(repo: RepositoryName): RepositoryRow | undefined {
    return this.repositories.get(repo)?.row;
  }

  commit(repo: RepositoryName, id: CommitId): CommitRow | undefined {
    const repository = this.repositories.get(repo);
    const seq = repository?.seqs.get(id);
    return seq === undefined ? undefined : repository?.commits[seq];
  }

  commitAt(repo: RepositoryName, seq: number): CommitRow | undefined {
    return this.repositories.get(repo)?.commits[seq];
  }

  ref(repo: RepositoryName, ref: RefName): RefValue | undefined {
    return this.repositories.get(repo)?.refs.get(ref);
  }

  outcome(txid: string): OutcomeRow | undefined {
    const { first, last } = keptStretches(this.partition());
    for (let stretch = last; stretch >= first; stretch -= 1) {
      const row = this.#outcomes.get(stretch)?.get(txid);
      if (row) return row;
    }
    return undefined;
  }

  layer(diffId: DiffId): LayerRow | undefined {
    return this.#layers.get(diffId);
  }

  blobs(digest: Digest): readonly BlobRow[] {
    return this.#blobs.get(digest) ?? [];
  }

  /** Copies that a fence retired before anything named them, in order. */
  retired(): readonly BlobRow[] {
    const rows = [...this.#blobs.values()].flat().filter((row) => row.retiredEpoch !== null && !isNamedCopy(row));
    return rows.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }

  #set(change: Change): void {
    switch (change.type) {
      case 'partition':
        this.#setPartition(change.after);
        return;
      case 'repository':
        this.#setRepository(change.after);
        return;
      case 'commit':
        this.#addCommit(change);
        return;
      case 'ref':
        this.#repository(change.repo).refs.set(change.ref, change.after);
        return;
      case 'reflog':
        this.#repository(change.after.repo).reflog.push(change.after);
        return;
      case 'outcome':
        this.#setOutcome(change.after);
        return;
      case 'layer':
        this.#layers.set(change.after.diffId, change.after);
        return;
      case 'blob':
        this.#setBlob(change);
        return;
      default:
        unreachable(change);
    }
  }

  #setPartition(partition: PartitionRow): void {
    this.checkpoint = { ...this.checkpoint, partition };
    const { first } = keptStretches(partition);
    for (const stretch of this.#outcomes.keys()) if (stretch < first) this.#outcomes.delete(stretch);
  }

  #setOutcome(row: OutcomeRow): void {
    const rows = this.#outcomes.get(row.stretch) ?? new Map<string, OutcomeRow>();
    this.#outcomes.set(row.stretch, rows.set(row.txid, row));
  }

  #setRepository(row: RepositoryRow): void {
    const known = this.repositories.get(row.repo);
    if (known) known.row = row;
    else this.repositories.set(row.repo, newRepository(row));
  }

  #addCommit({ after, bytes, aliases }: Extract<Change, { type: 'commit' }>): void {
    const repository = this.#repository(after.repo);
    repository.commits[after.seq] = after;
    repository.seqs.set(after.id, after.seq);
    repository.bytes.set(after.id, bytes);
    repository.aliases.push(...aliases);
  }

  #setBlob({ before, after }: Extract<Change, { type: 'blob' }>): void {
    const { digest, incarnation } = (after ?? before) as BlobRow;
    const others = this.blobs(digest).filter((row) => row.incarnation !== incarnation);
    const rows = after === null ? others : [...others, after].toSorted(byIncarnation);
    if (rows.length === 0) this.#blobs.delete(digest);
    else this.#blobs.set(digest, rows);
  }

  /** Changes put a repository before what is in it. */
  #repository(repo: RepositoryName): MemoryRepository {
    return this.repositories.get(repo) as MemoryRepository;
  }
}

/** In the order of digest and incarnation. */
export function keyOf({ digest, incarnation }: Pick<BlobRow, 'digest' | 'incarnation'>): string {
  return `${digest} ${incarnation}`;
}

function newRepository(row: RepositoryRow): MemoryRepository {
  return { row, commits: [], seqs: new Map(), bytes: new Map(), aliases: [], refs: new Map(), reflog: [] };
}
