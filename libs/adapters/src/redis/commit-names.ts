import { type CommitId, decodeCommit } from '#core/commit';
import { aliasesOf } from '#core/fold-commit';
import type { AliasKind, AliasRow, CommitRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import { aliasEntries, type AliasEntry, bucketsOf, idEntries, leastEntries } from './index-entries.js';
import type { LiveView } from './live-view.js';

/** Finds commits by how their names begin: the index says which they may be, they themselves which they are. */
export class CommitNames {
  readonly #view: LiveView;

  constructor(view: LiveView) {
    this.#view = view;
  }

  /** In the order of their ids. */
  async commits(repo: RepositoryName, hexPrefix: string, limit: number): Promise<CommitRow[]> {
    const found: CommitRow[] = [];
    for (const buckets of bucketsOf(hexPrefix)) {
      const entries = (await this.#read(repo, 'i', buckets)).flatMap((bytes) => idEntries(bytes, hexPrefix));
      // A longer prefix than the entries know of may fit none of the least ones.
      const candidates = hexPrefix.length > 8 ? entries : leastEntries(entries, limit - found.length);
      const rows = await this.#rows(
        repo,
        candidates.map(({ seq }) => seq),
      );
      found.push(...rows.filter(({ id }) => id.startsWith(hexPrefix)).toSorted(byId));
      if (found.length >= limit) break;
    }
    return found.slice(0, limit);
  }

  /** In the order of the commits. */
  async aliases(
    repo: RepositoryName,
    hexPrefix: string,
    { kinds, limit }: { readonly kinds: readonly AliasKind[]; readonly limit: number },
  ): Promise<AliasRow[]> {
    const entries: AliasEntry[] = [];
    for (const buckets of bucketsOf(hexPrefix)) {
      for (const bytes of await this.#read(repo, 'a', buckets)) entries.push(...aliasEntries(bytes, hexPrefix, kinds));
    }
    const kindsBySeq = Map.groupBy(entries, ({ seq }) => seq);
    const found: AliasRow[] = [];
    for (const seq of [...kindsBySeq.keys()].toSorted((a, b) => a - b)) {
      const aliases = await this.#aliasesOf(repo, seq);
      found.push(...aliases.filter(({ kind, hex }) => kinds.includes(kind) && hex.startsWith(hexPrefix)));
      if (found.length >= limit) break;
    }
    return found.slice(0, limit);
  }

  async #read(repo: RepositoryName, index: 'i' | 'a', buckets: readonly string[]): Promise<Buffer[]> {
    const partition = partitionOf(repo, this.#view.partitionCount);
    const { answers } = await this.#view.ask(
      partition,
      buckets.map((bucket) => ['get', `${index}:${bucket}:${repo}`]),
    );
    return answers.filter((answer): answer is Buffer => answer !== null);
  }

  async #rows(repo: RepositoryName, seqs: readonly number[]): Promise<CommitRow[]> {
    const rows = await Promise.all(seqs.map((seq) => this.#view.commitAt(repo, seq)));
    return rows.filter((row): row is CommitRow => row !== undefined);
  }

  async #aliasesOf(repo: RepositoryName, seq: number): Promise<AliasRow[]> {
    const row = await this.#view.commitAt(repo, seq);
    const bytes = row && (await this.#view.commitBytes(repo, row.id));
    return bytes ? aliasesOf(decodeCommit(bytes).commit, row) : [];
  }
}

function byId({ id: a }: { readonly id: CommitId }, { id: b }: { readonly id: CommitId }): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
