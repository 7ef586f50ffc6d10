import type { CommitId } from '#core/commit';
import type { Digest, DiffId } from '#core/digest';
import type { BlobRow, Change, CommitRow, LayerRow, OutcomeRow, PartitionRow, RepositoryRow } from '#core/graph-row';
import type { RefName, RepositoryName } from '#core/name';
import { byIncarnation } from '#core/overlay-facts';
import type { RefValue } from '#core/ref';
import type { StoredFacts } from '#ports/graph-store';
import { Known } from './known.js';

export interface RefOf {
  readonly repo: RepositoryName;
  readonly ref: RefName;
}
export interface CommitOf {
  readonly repo: RepositoryName;
  readonly id: CommitId;
}
export interface SeqOf {
  readonly repo: RepositoryName;
  readonly seq: number;
}

/** What facts are asked for, all of it known by name. */
export interface NamedFacts {
  readonly repositories: readonly RepositoryName[];
  readonly refs: readonly RefOf[];
  readonly commits: readonly CommitOf[];
  readonly outcomes: readonly string[];
  readonly layers: readonly DiffId[];
  readonly blobs: readonly Digest[];
}

/** What there is of it, by the same names. */
export interface FoundFacts {
  readonly repositories: ReadonlyMap<RepositoryName, RepositoryRow>;
  readonly refs: ReadonlyMap<string, RefValue>;
  readonly commits: ReadonlyMap<string, CommitRow>;
  readonly outcomes: ReadonlyMap<string, OutcomeRow>;
  readonly layers: ReadonlyMap<DiffId, LayerRow>;
  readonly blobs: ReadonlyMap<Digest, readonly BlobRow[]>;
}

/** Where facts are found. */
export interface FactSource {
  /** Undefined: what is stored is not of this offset. @throws UNAVAILABLE */
  find(offset: number, names: NamedFacts, seqs: readonly SeqOf[]): Promise<FoundFacts | undefined>;
  /** The place of a commit, if it is at hand; `find` brings it. */
  commitNow(repo: RepositoryName, seq: number): CommitRow | undefined;
  /** A digest, an id or a transaction of which it is certain that it is not stored. */
  isNew(hex: string): boolean;
}

/** The name of something of a repository. Neither has a space in it. */
export function nameIn(repo: RepositoryName, name: string): string {
  return `${repo} ${name}`;
}

/** So many rows of a kind are remembered from batch to batch. */
const rememberedMax = 16_384;

/**
 * Facts of which some are known. What is not is answered with "not there" and noted; `confirm` looks whether that was
 * right, all at once. Most of the time it was: most of what a fold asks is whether something is new.
 */
export class KnownFacts implements StoredFacts {
  #offset: number;
  #partition: PartitionRow;
  readonly #source: FactSource;
  readonly #repositories = new Known<RepositoryName, RepositoryRow>();
  readonly #refs = new Known<string, RefValue, RefOf>();
  readonly #commits = new Known<string, CommitRow, CommitOf>();
  readonly #outcomes = new Known<string, OutcomeRow>();
  readonly #layers = new Known<DiffId, LayerRow>();
  readonly #blobs = new Known<Digest, readonly BlobRow[]>();
  #seqs = new Map<string, SeqOf>();

  constructor(at: { readonly offset: number; readonly partition: PartitionRow }, source: FactSource) {
    this.#offset = at.offset;
    this.#partition = at.partition;
    this.#source = source;
  }

  get offset(): number {
    return this.#offset;
  }

  partition(): PartitionRow {
    return this.#partition;
  }

  repository(repo: RepositoryName): RepositoryRow | undefined {
    return this.#repositories.get(repo, repo);
  }

  ref(repo: RepositoryName, ref: RefName): RefValue | undefined {
    return this.#refs.get(nameIn(repo, ref), { repo, ref });
  }

  commit(repo: RepositoryName, id: CommitId): CommitRow | undefined {
    const name = nameIn(repo, id);
    return this.#isNew(this.#commits, name, id) ? undefined : this.#commits.get(name, { repo, id });
  }

  /** Asked only of commits that are there: what is not at hand ends the fold, which is begun again when it is. */
  commitAt(repo: RepositoryName, seq: number): CommitRow | undefined {
    const row = this.#source.commitNow(repo, seq);
    if (row) return row;
    this.#seqs.set(nameIn(repo, String(seq)), { repo, seq });
    throw new Error(`commit number ${seq} of ${repo} is not at hand`);
  }

  outcome(txid: string): OutcomeRow | undefined {
    return this.#isNew(this.#outcomes, txid, txid) ? undefined : this.#outcomes.get(txid, txid);
  }

  layer(diffId: DiffId): LayerRow | undefined {
    return this.#isNew(this.#layers, diffId, diffId) ? undefined : this.#layers.get(diffId, diffId);
  }

  blobs(digest: Digest): readonly BlobRow[] {
    return this.#isNew(this.#blobs, digest, digest) ? [] : (this.#blobs.get(digest, digest) ?? []);
  }

  async confirm(): Promise<'confirmed' | 'refuted' | 'outdated'> {
    const names: NamedFacts = {
      repositories: this.#repositories.asked(),
      refs: this.#refs.asked(),
      commits: this.#commits.asked(),
      outcomes: this.#outcomes.asked(),
      layers: this.#layers.asked(),
      blobs: this.#blobs.asked(),
    };
    const seqs = [...this.#seqs.values()];
    if (seqs.length === 0 && Object.values(names).every((asked) => asked.length === 0)) return 'confirmed';
    const found = await this.#source.find(this.#offset, names, seqs);
    if (!found) return 'outdated';
    this.#seqs = new Map();
    return this.#learn(found) || seqs.length > 0 ? 'refuted' : 'confirmed';
  }

  /** Takes what was found of what the fold is going to ask for. */
  begin(names: NamedFacts, found: FoundFacts): this {
    for (const repo of names.repositories) this.repository(repo);
    for (const { repo, ref } of names.refs) this.ref(repo, ref);
    for (const { repo, id } of names.commits) this.commit(repo, id);
    for (const txid of names.outcomes) this.outcome(txid);
    for (const diffId of names.layers) this.layer(diffId);
    for (const digest of names.blobs) this.blobs(digest);
    this.#learn(found);
    return this;
  }

  /** From now on the facts after these changes, which must be all there were. */
  advance(offset: number, changes: readonly Change[]): void {
    this.#offset = offset;
    for (const change of changes) this.#set(change);
    for (const known of [this.#refs, this.#commits, this.#outcomes, this.#layers, this.#blobs]) {
      if (known.size > rememberedMax) known.forget();
    }
  }

  #isNew(known: { has(key: string): boolean }, key: string, hex: string): boolean {
    return !known.has(key) && this.#source.isNew(hex);
  }

  #learn(found: FoundFacts): boolean {
    // All of them, whatever the first says.
    const isThere = [
      this.#repositories.learn(found.repositories),
      this.#refs.learn(found.refs),
      this.#commits.learn(found.commits),
      this.#outcomes.learn(found.outcomes),
      this.#layers.learn(found.layers),
      this.#blobs.learn(found.blobs),
    ];
    return isThere.includes(true);
  }

  /** What is new is asked for again seldom, but for commits, and then it is found. */
  #set(change: Change): void {
    if (change.type === 'partition') this.#partition = change.after;
    else if (change.type === 'repository') this.#repositories.set(change.after.repo, change.after);
    else if (change.type === 'ref') this.#refs.set(nameIn(change.repo, change.ref), change.after);
    else if (change.type === 'commit') this.#commits.set(nameIn(change.after.repo, change.after.id), change.after);
    else if (change.type === 'outcome') this.#outcomes.change(change.after.txid, change.after);
    else if (change.type === 'layer') this.#layers.change(change.after.diffId, change.after);
    else if (change.type === 'blob') this.#setCopy((change.after ?? change.before) as BlobRow, change.after);
  }

  #setCopy({ digest, incarnation }: BlobRow, after: BlobRow | null): void {
    if (!this.#blobs.has(digest)) return;
    const others = this.blobs(digest).filter((row) => row.incarnation !== incarnation);
    this.#blobs.set(digest, after ? [...others, after].toSorted(byIncarnation) : others);
  }
}
