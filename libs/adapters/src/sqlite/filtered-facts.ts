import type { CommitId } from '#core/commit';
import type { Digest, DiffId } from '#core/digest';
import type {
  BlobRow,
  Change,
  CommitRow,
  Facts,
  LayerRow,
  OutcomeRow,
  PartitionRow,
  RepositoryRow,
} from '#core/graph-row';
import type { RefName, RepositoryName } from '#core/name';
import type { RefValue } from '#core/ref';
import { KeyFilter } from '../key-filter.js';

/** Commits that are kept to be found by their number: a walk down a chain jumps to the same few again and again. */
const commitsMax = 65_536;

/**
 * Facts of tables that were empty when this began, and of which every change is remembered here: most of what a replay
 * asks is whether something is new, and that is answered without asking them.
 */
export class FilteredFacts implements Facts {
  readonly #tables: Facts;
  readonly #known = new KeyFilter();
  readonly #commits = new Map<string, CommitRow>();

  constructor(tables: Facts) {
    this.#tables = tables;
  }

  remember(change: Change): void {
    if (change.type === 'commit') this.#known.add(change.after.id);
    else if (change.type === 'outcome') this.#known.add(change.after.txid);
    else if (change.type === 'layer') this.#known.add(change.after.diffId);
    else if (change.type === 'blob' && change.after) this.#known.add(change.after.digest);
  }

  partition(): PartitionRow {
    return this.#tables.partition();
  }

  repository(repo: RepositoryName): RepositoryRow | undefined {
    return this.#tables.repository(repo);
  }

  commit(repo: RepositoryName, id: CommitId): CommitRow | undefined {
    return this.#known.mayHave(id) ? this.#tables.commit(repo, id) : undefined;
  }

  commitAt(repo: RepositoryName, seq: number): CommitRow | undefined {
    const key = `${repo} ${seq}`;
    const row = this.#commits.get(key) ?? this.#tables.commitAt(repo, seq);
    if (this.#commits.size >= commitsMax) this.#commits.clear();
    if (row) this.#commits.set(key, row);
    return row;
  }

  ref(repo: RepositoryName, ref: RefName): RefValue | undefined {
    return this.#tables.ref(repo, ref);
  }

  outcome(txid: string): OutcomeRow | undefined {
    return this.#known.mayHave(txid) ? this.#tables.outcome(txid) : undefined;
  }

  layer(diffId: DiffId): LayerRow | undefined {
    return this.#known.mayHave(diffId) ? this.#tables.layer(diffId) : undefined;
  }

  blobs(digest: Digest): readonly BlobRow[] {
    return this.#known.mayHave(digest) ? this.#tables.blobs(digest) : [];
  }
}
