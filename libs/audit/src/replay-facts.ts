import { type CommitId, decodeCommit } from '#core/commit';
import { type Digest, type DiffId, digestOf, emptyChainId } from '#core/digest';
import type { Proposal } from '#core/event';
import {
  type BlobRow,
  type CommitRow,
  type Facts,
  type LayerRow,
  newPartition,
  type OutcomeRow,
  type PartitionRow,
  type RepositoryRow,
} from '#core/graph-row';
import { branchRef, type RefName, type RepositoryName } from '#core/name';
import type { RefValue } from '#core/ref';

/** What a proof knows of the state that a proposal was judged by. */
export interface KnownState {
  readonly proposal: Proposal;
  /** The clamped time of the record before. */
  readonly time: number;
  /** What the refs that it moves held. */
  readonly refs: ReadonlyMap<RefName, RefValue | null>;
  /** The repository's moves before it. */
  readonly moves: number;
  /** Canonical bytes of earlier commits, parents first. */
  readonly commits: readonly Uint8Array[];
}

/** Copies that a proposal does not bring and that must have been stored before. */
const storedBefore = { digest: digestOf('stored before'), incarnation: 'before' };

/**
 * The state before a proposal, as far as a proof carries it: the refs and their versions, and the commits between an old
 * tip and a new one, each of which is shown. What a proof has no bytes of (that a layer was stored, that a parent was
 * there, that the transaction was new) is taken to be as the log decided. So what is judged again is who may move a ref:
 * the expected value, the version, the mode, and descent.
 */
export class ReplayFacts implements Facts {
  readonly #known: KnownState;
  readonly #named: {
    readonly blobs: ReadonlySet<Digest>;
    readonly layers: ReadonlySet<DiffId>;
    readonly commits: ReadonlySet<CommitId>;
  };
  readonly #rows = new Map<CommitId, CommitRow>();
  readonly #bySeq: CommitRow[] = [];

  constructor(known: KnownState) {
    this.#known = known;
    const { blobs, commits } = known.proposal;
    this.#named = {
      blobs: new Set(blobs.map(({ digest }) => digest)),
      layers: new Set(blobs.flatMap(({ layer }) => (layer ? [layer.diffId] : []))),
      commits: new Set(commits.map((bytes) => decodeCommit(bytes).id)),
    };
    for (const bytes of known.commits) {
      const { id, commit } = decodeCommit(bytes);
      this.#add(
        id,
        commit.parents.map((parent) => this.#row(parent)),
      );
    }
  }

  partition(): PartitionRow {
    return { ...newPartition, rules: 1, gcEpoch: this.#known.proposal.gcEpoch, time: this.#known.time };
  }

  repository(repo: RepositoryName): RepositoryRow | undefined {
    const { proposal, moves } = this.#known;
    if (proposal.type === 'repo.create.v1') return undefined;
    // New commits come after all that the proof has or needs.
    return { repo, generation: 1, defaultBranch: branchRef('main'), moves, commits: 2 ** 40, floor: 0, createdAt: 0 };
  }

  commit(_repo: RepositoryName, id: CommitId): CommitRow | undefined {
    return this.#named.commits.has(id) ? undefined : this.#row(id);
  }

  commitAt(_repo: RepositoryName, seq: number): CommitRow | undefined {
    return this.#bySeq[seq];
  }

  ref(_repo: RepositoryName, ref: RefName): RefValue | undefined {
    return this.#known.refs.get(ref) ?? undefined;
  }

  outcome(): OutcomeRow | undefined {
    return undefined;
  }

  layer(diffId: DiffId): LayerRow | undefined {
    return this.#named.layers.has(diffId) ? undefined : { diffId, tarBytes: 0, encodings: [storedBefore] };
  }

  blobs(digest: Digest): readonly BlobRow[] {
    if (this.#named.blobs.has(digest)) return [];
    const { incarnation } = storedBefore;
    return [{ digest, incarnation, size: 0, mediaType: '', retiredEpoch: null, sweptEpoch: null }];
  }

  /** A commit without bytes has a place and no parents: nothing is shown to descend from what lies below it. */
  #row(id: CommitId): CommitRow {
    return this.#rows.get(id) ?? this.#add(id, []);
  }

  #add(id: CommitId, parents: readonly CommitRow[]): CommitRow {
    const seq = this.#bySeq.length;
    const [first] = parents;
    const row: CommitRow = {
      repo: this.#known.proposal.repo,
      id,
      seq,
      parents: parents.map((parent) => parent.seq),
      depth: first ? first.depth + 1 : 0,
      jump: first ? first.seq : seq,
      stackLayers: 0,
      chainId: emptyChainId,
      ownBytes: 0,
      virtualBytes: 0,
      offset: 0,
    };
    this.#rows.set(id, row);
    this.#bySeq.push(row);
    return row;
  }
}
