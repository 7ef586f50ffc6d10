import { assert, unreachable } from '#core/error';
import type {
  AliasRow,
  BlobRow,
  Change,
  LayerRow,
  OutcomeRow,
  PartitionRow,
  ReflogRow,
  RepositoryRow,
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

  write(batch: GraphBatch, before: Checkpoint): void {
    let { partition } = before;
    for (const change of batch.changes) {
      if (change.type === 'partition') partition = change.after;
      else this.#writeRow(change);
    }
    this.#writeCheckpoint(batch, partition);
  }

  #writeCheckpoint({ offset, recordDigest, stateDigest }: GraphBatch, { rules, gcEpoch, time }: PartitionRow): void {
    this.#tables
      .sql('INSERT OR REPLACE INTO $checkpoint VALUES (0, ?, ?, ?, ?, ?, ?)')
      .run(offset, recordDigest, stateDigest, rules, gcEpoch, time);
  }

  #writeRow(change: Exclude<Change, { type: 'partition' }>): void {
    switch (change.type) {
      case 'repository':
        return this.#writeRepository(change.after);
      case 'commit':
        return this.#writeCommit(change);
      case 'ref':
        return this.#writeRef(change);
      case 'reflog':
        return this.#writeMove(change.after);
      case 'outcome':
        return this.#writeOutcome(change.after);
      case 'layer':
        return this.#writeLayer(change.after);
      case 'blob':
        return this.#writeBlob(change);
      default:
        return unreachable(change);
    }
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

  #writeCommit({ after, bytes, aliases }: ChangeOf<'commit'>): void {
    const repository = this.#repositoryId(after.repo);
    const key = keyOf(repository, after.seq);
    const id = bytesOfHex(after.id);
    this.#tables
      .sql('INSERT INTO $commits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
      .run(
        key,
        id,
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
    this.#tables.sql('INSERT INTO $commit_id VALUES (?, ?, ?)').run(repository, id, key);
    for (const alias of aliases) this.#writeAlias(repository, alias);
  }

  #writeAlias(repository: number, { hex, kind, seq }: AliasRow): void {
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

  #writeOutcome({ txid, repo, request, offset, time, epoch, outcome }: OutcomeRow): void {
    this.#tables
      .sql('INSERT INTO $outcome VALUES (?, ?, ?, ?, ?, ?, ?)')
      .run(bytesOfHex(txid), repo, request, offset, time, epoch, JSON.stringify(outcome));
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
      .sql('INSERT OR REPLACE INTO $blob VALUES (?, ?, ?, ?, ?)')
      .run(bytesOfDigest(digest), incarnation, after.size, after.mediaType, after.retiredEpoch);
  }

  #repositoryId(repo: RepositoryName): number {
    const id = this.#tables.repositoryId(repo);
    assert(id !== undefined, `a change names repository ${repo} before it is made`);
    return id;
  }
}
