import type { CommitId } from '#core/commit';
import { VarveError } from '#core/error';
import type { AliasKind, CommitRow, ReflogRow, RepositoryRow } from '#core/graph-row';
import type { RefName, RepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import type { Position } from '#core/position';
import type { RefValue } from '#core/ref';
import type { GraphReader } from '#ports/graph-store';
import { firstBeyond } from './first-beyond.js';
import { firstThat } from './first-that.js';

/** When a question is about: after the record at a position, or at a time by the log's clock, ms since 1970. */
export type Moment =
  | { readonly type: 'position'; readonly position: Position }
  | { readonly type: 'time'; readonly ms: number };

/** What a repository was then: it had so many moves and commits. Undefined: it was not there yet. */
type Cut = Pick<RepositoryRow, 'moves' | 'commits'> | undefined;

/**
 * The graph as it was at a moment, for every question: commits and moves are only ever added, each under the next
 * number of its repository, so a repository's past is its first so many of both. A time means the record before the
 * first later one that moved a ref; a position means itself. @see surface.md 4.6
 */
export class GraphAt implements GraphReader {
  readonly partitionCount: number;
  readonly moment: Moment;
  readonly #graph: GraphReader;
  readonly #cuts = new Map<RepositoryName, Promise<Cut>>();

  constructor(graph: GraphReader, moment: Moment) {
    this.#graph = graph;
    this.moment = moment;
    this.partitionCount = graph.partitionCount;
  }

  /** Of now: how much is known, not what it is about. */
  checkpoint(partition: number) {
    return this.#graph.checkpoint(partition);
  }

  outcome(partition: number, txid: string) {
    return this.#graph.outcome(partition, txid);
  }

  outcomeAt(partition: number, txid: string) {
    return this.#graph.outcomeAt(partition, txid);
  }

  async repositories() {
    const rows = await Promise.all((await this.#graph.repositories()).map((row) => this.#then(row)));
    return rows.filter((row) => row !== undefined);
  }

  /** @throws TIME_UNKNOWN when it was made later */
  async repository(repo: RepositoryName) {
    const row = await this.#graph.repository(repo);
    const then = row && (await this.#then(row));
    if (row && !then) throw notYet(row);
    return then;
  }

  async ref(repo: RepositoryName, ref: RefName): Promise<RefValue | undefined> {
    const cut = await this.#cutOf(repo);
    if (!cut) return undefined;
    const [move] = await this.#graph.reflog(repo, { ref, before: cut.moves + 1, limit: 1 });
    return move && { commit: move.to, version: move.version };
  }

  async refs(repo: RepositoryName, upTo = Number.MAX_SAFE_INTEGER) {
    const cut = await this.#cutOf(repo);
    return cut ? this.#graph.refs(repo, Math.min(upTo, cut.moves)) : [];
  }

  async reflog(repo: RepositoryName, page: Parameters<GraphReader['reflog']>[1]) {
    const cut = await this.#cutOf(repo);
    if (!cut) return [];
    return this.#graph.reflog(repo, { ...page, before: Math.min(page.before ?? cut.moves + 1, cut.moves + 1) });
  }

  async reflogAt(repo: RepositoryName, ref: RefName, n: number) {
    const cut = await this.#cutOf(repo);
    if (!cut) return undefined;
    const wasMoved = async (k: number) => ((await this.#graph.reflogAt(repo, ref, k))?.version ?? 0) <= cut.moves;
    return this.#graph.reflogAt(repo, ref, n + (await firstThat(wasMoved)));
  }

  async commit(repo: RepositoryName, id: CommitId) {
    return this.#known(await this.#graph.commit(repo, id));
  }

  async commitAt(repo: RepositoryName, seq: number) {
    return this.#known(await this.#graph.commitAt(repo, seq));
  }

  async commitBytes(repo: RepositoryName, id: CommitId) {
    return (await this.commit(repo, id)) && this.#graph.commitBytes(repo, id);
  }

  async commits(repo: RepositoryName, page: Parameters<GraphReader['commits']>[1]) {
    const cut = await this.#cutOf(repo);
    if (!cut) return [];
    return this.#graph.commits(repo, { ...page, before: Math.min(page.before ?? cut.commits, cut.commits) });
  }

  commitsByPrefix(repo: RepositoryName, hexPrefix: string, limit: number) {
    return this.#among(repo, limit, (count) => this.#graph.commitsByPrefix(repo, hexPrefix, count));
  }

  aliasesByPrefix(repo: RepositoryName, hexPrefix: string, kinds: readonly AliasKind[], limit: number) {
    return this.#among(repo, limit, (count) => this.#graph.aliasesByPrefix(repo, hexPrefix, kinds, count));
  }

  layer(...[repo, diffId]: Parameters<GraphReader['layer']>) {
    return this.#graph.layer(repo, diffId);
  }

  blob(...[repo, digest]: Parameters<GraphReader['blob']>) {
    return this.#graph.blob(repo, digest);
  }

  copies(...[partition, digests]: Parameters<GraphReader['copies']>) {
    return this.#graph.copies(partition, digests);
  }

  retiredCopies(...[partition, page]: Parameters<GraphReader['retiredCopies']>) {
    return this.#graph.retiredCopies(partition, page);
  }

  onApplied(listener: Parameters<GraphReader['onApplied']>[0]) {
    return this.#graph.onApplied(listener);
  }

  async #then(row: RepositoryRow): Promise<RepositoryRow | undefined> {
    const cut = await this.#cutOf(row.repo);
    return cut && { ...row, ...cut };
  }

  async #known(row: CommitRow | undefined): Promise<CommitRow | undefined> {
    if (!row) return undefined;
    const cut = await this.#cutOf(row.repo);
    return cut && row.seq < cut.commits ? row : undefined;
  }

  /** The first `limit` that were there, of a list where later ones may stand between them. */
  async #among<Row extends { readonly seq: number }>(
    repo: RepositoryName,
    limit: number,
    list: (limit: number) => Promise<readonly Row[]>,
  ): Promise<readonly Row[]> {
    const cut = await this.#cutOf(repo);
    if (!cut) return [];
    for (let asked = limit; ; asked *= 4) {
      const rows = await list(asked);
      const then = rows.filter(({ seq }) => seq < cut.commits);
      if (then.length >= limit || rows.length < asked) return then.slice(0, limit);
    }
  }

  #cutOf(repo: RepositoryName): Promise<Cut> {
    const known = this.#cuts.get(repo) ?? this.#findCut(repo);
    this.#cuts.set(repo, known);
    return known;
  }

  async #findCut(repo: RepositoryName): Promise<Cut> {
    const row = await this.#graph.repository(repo);
    if (!row) return undefined;
    const moment = this.moment;
    if (moment.type === 'position') return this.#cutAt(row, this.#offsetFor(repo, moment.position));
    if (row.createdAt > moment.ms) return undefined;
    const next = await this.#moveBeyond(row, moment.ms, ({ time }) => time);
    return next ? this.#cutAt(row, next.offset - 1) : row;
  }

  /** Offsets of moves and of commits grow with their numbers. */
  async #cutAt(row: RepositoryRow, offset: number): Promise<Cut> {
    const later = await this.#moveBeyond(row, offset, (move) => move.offset);
    const moves = later ? later.version - 1 : row.moves;
    const commits = await firstBeyond(
      row.commits,
      offset,
      async (seq) => (await this.#graph.commitAt(row.repo, seq))?.offset ?? Infinity,
    );
    // A repository is made by the record that moves its first ref.
    return moves === 0 && row.moves > 0 ? undefined : { moves, commits };
  }

  /** The first move whose key is greater. */
  async #moveBeyond({ repo, moves }: RepositoryRow, key: number, keyOf: (move: ReflogRow) => number) {
    const looked = new Map<number, ReflogRow | undefined>();
    const found = await firstBeyond(moves, key, async (i) => {
      const [move] = await this.#graph.reflog(repo, { before: i + 2, limit: 1 });
      looked.set(i, move);
      return move ? keyOf(move) : Infinity;
    });
    return looked.get(found);
  }

  #offsetFor(repo: RepositoryName, { partition, offset }: Position): number {
    const own = partitionOf(repo, this.partitionCount);
    if (own === partition) return offset;
    const message = `the position is of partition ${partition}, and ${repo} is in partition ${own}: ask by time`;
    throw new VarveError('POSITION_UNKNOWN', message, { partition, repository: repo, expected: own });
  }
}

function notYet({ repo, createdAt }: RepositoryRow): VarveError {
  const made = new Date(createdAt).toISOString();
  return new VarveError('TIME_UNKNOWN', `${repo} was not there then: it was made at ${made}`, {
    repository: repo,
    createdAt: made,
  });
}
