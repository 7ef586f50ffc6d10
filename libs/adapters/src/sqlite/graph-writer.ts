import { assert } from '#core/error';
import {
  type AliasRow,
  type BlobRow,
  type Change,
  type CommitRow,
  type LayerRow,
  keptStretches,
  type OutcomeRow,
  type PartitionRow,
  type ReflogRow,
  type RepositoryRow,
} from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import type { Checkpoint, GraphBatch } from '#ports/graph-store';
import type { Statement } from './database.js';
import { bytesOfDigest, bytesOfHex, keyOf } from './graph-row-codec.js';

type ChangeOf<Type extends Change['type']> = Extract<Change, { type: Type }>;

/** The tables a batch is written to; `$` in the text of a statement stands for their prefix. */
interface Tables {
  sql(text: string): Statement;
  repositoryId(repo: RepositoryName): number | undefined;
}

/** Writes the changes of a batch, inside the transaction of `GraphTables.apply`. */
export class GraphWriter {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  /** Each table in the order of its keys: rows that lie together are written together. */
  write(batch: GraphBatch, before: Checkpoint): void {
    const rows = Map.groupBy(batch.changes, ({ type }) => type) as Partitioned;
    for (const { after } of rows.get('repository') ?? []) this.#writeRepository(after);
    this.#writeCommits(rows.get('commit') ?? []);
    for (const change of rows.get('ref') ?? []) this.#writeRef(change);
    for (const { after } of rows.get('reflog') ?? []) this.#writeMove(after);
    for (const { after } of sortedBy(rows.get('layer') ?? [], (row) => row.after.diffId)) this.#writeLayer(after);
    for (const change of sortedBy(rows.get('blob') ?? [], blobKey)) this.#writeBlob(change);
    const partition = rows.get('partition')?.at(-1)?.after ?? before.partition;
    this.#writeOutcomes(rows.get('outcome') ?? [], keptStretches(partition).first);
    this.#writeCheckpoint(batch, partition);
  }

  #writeCheckpoint({ offset, recordDigest, stateDigest }: GraphBatch, row: PartitionRow): void {
    this.#tables
      .sql('INSERT OR REPLACE INTO $checkpoint VALUES (0, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
      .run(
        offset,
        recordDigest,
        stateDigest,
        row.rules,
        row.gcEpoch,
        row.fencedAt,
        row.time,
        row.gcRun,
        JSON.stringify(row.stretches),
      );
  }

  #writeRepository({ repo, generation, defaultBranch, moves, commits, floor, createdAt }: RepositoryRow): void {
    this.#tables
      .sql(
        `INSERT INTO $repository (repo, generation, default_branch, moves, commits, floor, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (repo) DO UPDATE SET generation = excluded.generation,
         default_branch = excluded.default_branch, moves = excluded.moves, commits = excluded.commits,
         floor = excluded.floor`,
      )
      .run(repo, generation, defaultBranch, moves, commits, floor, createdAt);
  }

  #writeCommits(commits: readonly ChangeOf<'commit'>[]): void {
    for (const commit of commits) this.#writeCommit(commit);
    for (const { after } of sortedBy(commits, (commit) => commit.after.id)) this.#writeCommitId(after);
    const aliases = commits.flatMap((commit) => commit.aliases);
    for (const alias of sortedBy(aliases, ({ hex }) => hex)) this.#writeAlias(alias);
  }

  #writeCommit({ after, bytes }: ChangeOf<'commit'>): void {
    this.#tables
      .sql('INSERT INTO $commits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
      .run(
        keyOf(this.#repositoryId(after.repo), after.seq),
        bytesOfHex(after.id),
        after.parents.join(' '),
        after.depth,
        after.jump,
        after.stackLayers,
        bytesOfDigest(after.chainId),
        after.ownBytes,
        after.virtualBytes,
        after.offset,
        bytes,
      );
  }

  #writeCommitId({ repo, id, seq }: CommitRow): void {
    const repository = this.#repositoryId(repo);
    const insert = this.#tables.sql('INSERT INTO $commit_id VALUES (?, ?, ?)');
    insert.run(repository, bytesOfHex(id), keyOf(repository, seq));
  }

  #writeAlias({ repo, hex, kind, seq }: AliasRow): void {
    const repository = this.#repositoryId(repo);
    const insert = this.#tables.sql('INSERT OR IGNORE INTO $alias VALUES (?, ?, ?, ?)');
    insert.run(repository, bytesOfHex(hex), kind, keyOf(repository, seq));
  }

  #writeRef({ repo, ref, after }: ChangeOf<'ref'>): void {
    const id = after.commit === null ? null : bytesOfHex(after.commit);
    this.#tables
      .sql('INSERT OR REPLACE INTO $ref VALUES (?, ?, ?, ?)')
      .run(this.#repositoryId(repo), ref, id, after.version);
  }

  #writeMove({ repo, ref, version, from, to, operation, reason, actor, txid, offset, time }: ReflogRow): void {
    const repository = this.#repositoryId(repo);
    const key = keyOf(repository, version);
    this.#tables
      .sql('INSERT INTO $reflog VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
      .run(
        key,
        ref,
        from === null ? null : bytesOfHex(from),
        to === null ? null : bytesOfHex(to),
        operation,
        reason,
        actor.name,
        actor.verified ? 1 : 0,
        txid,
        offset,
        time,
      );
    this.#tables.sql('INSERT INTO $reflog_ref VALUES (?, ?, ?)').run(repository, ref, key);
  }

  /** Nobody is answered by those before `oldest`; of what there is of them a batch removes some, so that none takes long. */
  #writeOutcomes(outcomes: readonly ChangeOf<'outcome'>[], oldest: number): void {
    const kept = outcomes.filter(({ after }) => after.stretch >= oldest);
    for (const { after } of sortedBy(kept, (row) => row.after.txid)) this.#writeOutcome(after);
    this.#tables
      .sql(
        `DELETE FROM $outcome WHERE (stretch, txid) IN
         (SELECT stretch, txid FROM $outcome WHERE stretch < ? ORDER BY stretch, txid LIMIT ?)`,
      )
      .run(oldest, Math.max(outcomesRemovedMin, kept.length));
  }

  #writeOutcome({ txid, repo, request, offset, time, stretch, outcome }: OutcomeRow): void {
    this.#tables
      .sql('INSERT INTO $outcome VALUES (?, ?, ?, ?, ?, ?, ?)')
      .run(stretch, bytesOfHex(txid), repo, request, offset, time, JSON.stringify(outcome));
  }

  #writeLayer({ diffId, tarBytes, encodings }: LayerRow): void {
    this.#tables
      .sql('INSERT OR REPLACE INTO $layer VALUES (?, ?, ?)')
      .run(bytesOfDigest(diffId), tarBytes, JSON.stringify(encodings));
  }

  #writeBlob({ before, after }: ChangeOf<'blob'>): void {
    const { digest, incarnation } = (after ?? before) as BlobRow;
    if (after === null) {
      this.#tables
        .sql('DELETE FROM $blob WHERE digest = ? AND incarnation = ?')
        .run(bytesOfDigest(digest), incarnation);
      return;
    }
    this.#tables
      .sql('INSERT OR REPLACE INTO $blob VALUES (?, ?, ?, ?, ?, ?)')
      .run(bytesOfDigest(digest), incarnation, after.size, after.mediaType, after.retiredEpoch, after.sweptEpoch);
  }

  #repositoryId(repo: RepositoryName): number {
    const id = this.#tables.repositoryId(repo);
    assert(id !== undefined, `a change names repository ${repo} before it is made`);
    return id;
  }
}

/** More than a batch of one record adds, so that what is forgotten does not pile up; a millisecond or two. */
const outcomesRemovedMin = 512;

/** What `Map.groupBy` makes of changes: under each type, changes of that type. */
interface Partitioned {
  get<Type extends Change['type']>(type: Type): ChangeOf<Type>[] | undefined;
}

function sortedBy<Item>(items: readonly Item[], keyOfItem: (item: Item) => string): Item[] {
  const keyed = items.map((item) => ({ item, key: keyOfItem(item) }));
  return keyed.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ item }) => item);
}

function blobKey({ before, after }: ChangeOf<'blob'>): string {
  const { digest, incarnation } = (after ?? before) as BlobRow;
  return `${digest} ${incarnation}`;
}
