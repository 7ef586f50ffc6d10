import type { CommitRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';

const rowsPerRepository = 16_384;
const repositoriesMax = 64;

/** The last commits of the repositories that were written to last, by their numbers. */
export class RecentCommits {
  readonly #rings = new Map<RepositoryName, (CommitRow | undefined)[]>();

  get(repo: RepositoryName, seq: number): CommitRow | undefined {
    const row = this.#rings.get(repo)?.[seq % rowsPerRepository];
    return row?.seq === seq ? row : undefined;
  }

  add(row: CommitRow): void {
    const ring = this.#rings.get(row.repo) ?? this.#newRing(row.repo);
    ring[row.seq % rowsPerRepository] = row;
  }

  #newRing(repo: RepositoryName): (CommitRow | undefined)[] {
    if (this.#rings.size >= repositoriesMax) {
      const [oldest] = this.#rings.keys();
      if (oldest !== undefined) this.#rings.delete(oldest);
    }
    const ring: (CommitRow | undefined)[] = [];
    this.#rings.set(repo, ring);
    return ring;
  }
}
