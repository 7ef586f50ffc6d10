import type { CommitId } from '#core/commit';
import type { Digest, DiffId } from '#core/digest';
import type { BlobRow, CommitRow, LayerRow, OutcomeRow, PartitionRow, RepositoryRow } from '#core/graph-row';
import { newPartition } from '#core/graph-row';
import type { RefName, RepositoryName } from '#core/name';
import type { RefValue } from '#core/ref';
import { emptyStateDigest } from '#core/state-digest';
import type { Checkpoint, GraphBatch, GraphReader, StoredFacts } from '#ports/graph-store';
import type { Database, SqlRow, Statement } from './database.js';
import {
  blobOf,
  bytesOfDigest,
  bytesOfHex,
  commitOf,
  hexOfBytes,
  keyOf,
  layerOf,
  outcomeOf,
  partitionOf,
  refValueOf,
  repositoryOf,
} from './graph-row-codec.js';
import { isRetiredUnnamed } from './graph-schema.js';
import { GraphWriter } from './graph-writer.js';

/** The tables of one generation: the facts the fold asks for, and the one way to change them. */
export class GraphTables implements StoredFacts {
  readonly db: Database;
  readonly generation: number;
  readonly #statements = new Map<string, Statement>();
  readonly #repositoryIds = new Map<RepositoryName, number>();
  readonly #writer: GraphWriter;

  constructor(db: Database, generation: number) {
    this.db = db;
    this.generation = generation;
    this.#writer = new GraphWriter(this);
  }

  /** A statement on this generation's tables; `$` stands for their prefix. Prepared once. */
  sql(text: string): Statement {
    const known = this.#statements.get(text);
    if (known) return known;
    const statement = this.db.prepare(text.replaceAll('$', `g${this.generation}_`));
    this.#statements.set(text, statement);
    return statement;
  }

  checkpoint(): Checkpoint {
    const row = this.sql('SELECT * FROM $checkpoint WHERE partition = 0').get();
    if (!row) return { offset: -1, recordDigest: '', stateDigest: emptyStateDigest, partition: newPartition };
    return {
      offset: row['offset'] as number,
      recordDigest: row['record_digest'] as string,
      stateDigest: row['state_digest'] as string,
      partition: partitionOf(row),
    };
  }

  get offset(): number {
    return this.checkpoint().offset;
  }

  /** False when the batch does not follow the checkpoint; then nothing was changed. */
  apply(batch: GraphBatch): boolean {
    try {
      return this.db.transaction(() => {
        const before = this.checkpoint();
        if (before.offset !== batch.previousOffset) return false;
        this.#writer.write(batch, before);
        return true;
      });
    } catch (error) {
      // Ids given to repositories in a transaction that was rolled back may be given to others.
      this.#repositoryIds.clear();
      throw error;
    }
  }

  /** The number that stands for a repository in keys. */
  repositoryId(repo: RepositoryName): number | undefined {
    const known = this.#repositoryIds.get(repo);
    if (known !== undefined) return known;
    const id = this.sql('SELECT id FROM $repository WHERE repo = ?').get(repo)?.['id'] as number | undefined;
    if (id !== undefined) this.#repositoryIds.set(repo, id);
    return id;
  }

  partition(): PartitionRow {
    return this.checkpoint().partition;
  }

  repository(repo: RepositoryName): RepositoryRow | undefined {
    return optional(this.sql('SELECT * FROM $repository WHERE repo = ?').get(repo), repositoryOf);
  }

  commit(repo: RepositoryName, id: CommitId): CommitRow | undefined {
    const repository = this.repositoryId(repo);
    if (repository === undefined) return undefined;
    const select = `SELECT ${commitColumns} FROM $commit_id i JOIN $commits c ON c.key = i.key WHERE i.repository = ? AND i.id = ?`;
    return optional(this.sql(select).get(repository, bytesOfHex(id)), (row) => commitOf(repo, row));
  }

  commitAt(repo: RepositoryName, seq: number): CommitRow | undefined {
    const repository = this.repositoryId(repo);
    if (repository === undefined) return undefined;
    const select = `SELECT ${commitColumns} FROM $commits c WHERE c.key = ?`;
    return optional(this.sql(select).get(keyOf(repository, seq)), (row) => commitOf(repo, row));
  }

  ref(repo: RepositoryName, ref: RefName): RefValue | undefined {
    const repository = this.repositoryId(repo);
    if (repository === undefined) return undefined;
    const select = 'SELECT id, version FROM $ref WHERE repository = ? AND ref = ?';
    return optional(this.sql(select).get(repository, ref), refValueOf);
  }

  outcome(txid: string): OutcomeRow | undefined {
    return optional(this.sql(findOutcome).get(bytesOfHex(txid)), (row) => outcomeOf(txid, row));
  }

  layer(diffId: DiffId): LayerRow | undefined {
    const row = this.sql('SELECT tar_bytes, encodings FROM $layer WHERE diff_id = ?').get(bytesOfDigest(diffId));
    return optional(row, (found) => layerOf(diffId, found));
  }

  blobs(digest: Digest): readonly BlobRow[] {
    const rows = this.sql('SELECT * FROM $blob WHERE digest = ? ORDER BY incarnation').all(bytesOfDigest(digest));
    return rows.map((row) => blobOf(digest, row));
  }

  /** Copies that a fence retired before anything named them, in order. */
  retired({ after, limit }: Parameters<GraphReader['retiredCopies']>[1]): readonly BlobRow[] {
    const select = `SELECT * FROM $blob WHERE ${isRetiredUnnamed} AND (digest, incarnation) > (?, ?) ORDER BY digest, incarnation LIMIT ?`;
    const from = after ? bytesOfDigest(after.digest) : new Uint8Array();
    const rows = this.sql(select).all(from, after?.incarnation ?? '', limit);
    return rows.map((row) => blobOf(`sha256:${hexOfBytes(row['digest'])}` as Digest, row));
  }
}

/** All but the bytes, which may be long and are seldom wanted. */
export const commitColumns =
  'c.key, c.id, c.parents, c.depth, c.jump, c.stack_layers, c.chain_id, c.own_bytes, c.virtual_bytes, c.offset';

/** In the stretches that are kept, newest first. */
const findOutcome = `SELECT o.* FROM $checkpoint c JOIN json_each(c.stretches) s JOIN $outcome o
  ON o.stretch = s.value ->> 'number' AND o.txid = ? ORDER BY o.stretch DESC LIMIT 1`;

export function optional<Row>(row: SqlRow | undefined, read: (row: SqlRow) => Row): Row | undefined {
  return row === undefined ? undefined : read(row);
}
