import type { CommitId } from './commit.js';
import type { Digest, DiffId } from './digest.js';
import type {
  BlobRow,
  Change,
  CommitRow,
  Facts,
  LayerRow,
  OutcomeRow,
  PartitionRow,
  RepositoryRow,
} from './graph-row.js';
import type { RefName, RepositoryName } from './name.js';
import type { RefValue } from './ref.js';
import { unreachable } from './error.js';

/**
 * Facts with changes on top, so that a batch of records folds in order before any of it is applied, and a record can
 * be judged by what its own earlier parts would make. `changes` are the ones added, in order.
 */
export class OverlayFacts implements Facts {
  readonly changes: Change[] = [];
  readonly #base: Facts;
  #partition: PartitionRow | undefined;
  // Made when there is something to put in: every record that is judged gets an overlay of its own.
  #repositories: Map<RepositoryName, RepositoryOverlay> | undefined;
  #outcomes: Map<string, OutcomeRow> | undefined;
  #layers: Map<DiffId, LayerRow> | undefined;
  #blobs: Map<Digest, readonly BlobRow[]> | undefined;

  constructor(base: Facts) {
    this.#base = base;
  }

  partition(): PartitionRow {
    return this.#partition ?? this.#base.partition();
  }

  repository(repo: RepositoryName): RepositoryRow | undefined {
    return this.#repositories?.get(repo)?.row ?? this.#base.repository(repo);
  }

  commit(repo: RepositoryName, id: CommitId): CommitRow | undefined {
    return this.#repositories?.get(repo)?.commits.get(id) ?? this.#base.commit(repo, id);
  }

  commitAt(repo: RepositoryName, seq: number): CommitRow | undefined {
    return this.#repositories?.get(repo)?.commits.get(seq) ?? this.#base.commitAt(repo, seq);
  }

  ref(repo: RepositoryName, ref: RefName): RefValue | undefined {
    return this.#repositories?.get(repo)?.refs.get(ref) ?? this.#base.ref(repo, ref);
  }

  outcome(txid: string): OutcomeRow | undefined {
    return this.#outcomes?.get(txid) ?? this.#base.outcome(txid);
  }

  layer(diffId: DiffId): LayerRow | undefined {
    return this.#layers?.get(diffId) ?? this.#base.layer(diffId);
  }

  blobs(digest: Digest): readonly BlobRow[] {
    return this.#blobs?.get(digest) ?? this.#base.blobs(digest);
  }

  add(change: Change): void {
    this.changes.push(change);
    switch (change.type) {
      case 'partition':
        this.#partition = change.after;
        return;
      case 'repository':
        this.#overlay(change.after.repo).row = change.after;
        return;
      case 'commit':
        this.#overlay(change.after.repo).commits.set(change.after.id, change.after).set(change.after.seq, change.after);
        return;
      case 'ref':
        this.#overlay(change.repo).refs.set(change.ref, change.after);
        return;
      case 'reflog':
        return;
      case 'outcome':
        (this.#outcomes ??= new Map()).set(change.after.txid, change.after);
        return;
      case 'layer':
        (this.#layers ??= new Map()).set(change.after.diffId, change.after);
        return;
      case 'blob':
        this.#setBlob(change);
        return;
      default:
        unreachable(change);
    }
  }

  #overlay(repo: RepositoryName): RepositoryOverlay {
    const known = this.#repositories?.get(repo);
    if (known) return known;
    const made: RepositoryOverlay = { row: undefined, commits: new Map(), refs: new Map() };
    (this.#repositories ??= new Map()).set(repo, made);
    return made;
  }

  #setBlob({ before, after }: Extract<Change, { type: 'blob' }>): void {
    const { digest, incarnation } = (after ?? before) as BlobRow;
    const others = this.blobs(digest).filter((row) => row.incarnation !== incarnation);
    (this.#blobs ??= new Map()).set(digest, after === null ? others : [...others, after].toSorted(byIncarnation));
  }
}

/** What changed in one repository; commits by id and by seq. */
interface RepositoryOverlay {
  row: RepositoryRow | undefined;
  readonly commits: Map<CommitId | number, CommitRow>;
  readonly refs: Map<RefName, RefValue>;
}

/** The order in which facts list the copies of a blob, the same on every adapter. */
export function byIncarnation(a: BlobRow, b: BlobRow): number {
  return a.incarnation < b.incarnation ? -1 : a.incarnation > b.incarnation ? 1 : 0;
}
