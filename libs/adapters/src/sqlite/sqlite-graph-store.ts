import type { CommitId } from '#core/commit';
import type { Digest, DiffId } from '#core/digest';
import { assert, VarveError } from '#core/error';
import {
  type AliasKind,
  type AliasRow,
  type BlobRow,
  type CommitRow,
  copyToRead,
  type ReflogRow,
  type RepositoryRow,
} from '#core/graph-row';
import type { RefName, RepositoryName } from '#core/name';
import type {
  AppliedNotice,
  Checkpoint,
  GraphBatch,
  GraphGeneration,
  GraphReader,
  GraphStore,
  StoredFacts,
} from '#ports/graph-store';
import { AppliedListeners } from '../applied-listeners.js';
import { BufferedTables } from './buffered-tables.js';
import { checkWal } from './check-wal.js';
import { Database, type SqlRow } from './database.js';
import {
  bytesOfHex,
  commitIdOfBytes,
  commitOf,
  hexOfBytes,
  keyOf,
  numberOf,
  reflogOf,
  repositoryOf,
} from './graph-row-codec.js';
import {
  createGeneration,
  dropGeneration,
  generationsIn,
  graphApplicationId,
  graphSchemaVersion,
} from './graph-schema.js';
import { commitColumns, GraphTables, optional } from './graph-tables.js';
import type { DatabaseName } from './sqlite-error.js';

/**
 * The graph in one SQLite file, for a log of one partition. A crash may take back the last batches, never half of one;
 * they are projected again. The file may be deleted at any time: it is made again from the log.
 * @throws CORRUPT when the file is not a graph of ours (the message says to delete it), UNAVAILABLE
 */
export function openSqliteGraphStore(path: string): GraphStore {
  const remedy = 'Delete it: it is made again from the event log.';
  const name: DatabaseName = { path, what: 'graph', remedy };
  const pragmas = ['journal_mode=WAL', 'synchronous=NORMAL', 'cache_size=-65536', 'temp_store=MEMORY'];
  checkWal(name, (read) => {
    const generation = Number(read('SELECT generation FROM live')?.['generation'] ?? 0);
    const row = read(`SELECT offset FROM g${generation}_checkpoint`);
    return generation * 2 ** 40 + Number(row?.['offset'] ?? 0);
  });
  const db = Database.open(name, pragmas);
  try {
    return new SqliteGraphStore(db);
  } catch (error) {
    db.close();
    throw error;
  }
}

type Page = Parameters<GraphReader['commits']>[1];
type ReflogPage = Parameters<GraphReader['reflog']>[1];

class SqliteGraphStore implements GraphStore {
  readonly partitionCount = 1;
  readonly #db: Database;
  #live: GraphTables;
  #building: GraphTables | undefined;
  readonly #listeners = new AppliedListeners();

  constructor(db: Database) {
    this.#db = db;
    this.#live = new GraphTables(
      db,
      db.transaction(() => openGraph(db)),
    );
  }

  async checkpoint(): Promise<Checkpoint> {
    return this.#live.checkpoint();
  }

  async facts(): Promise<StoredFacts> {
    return this.#live;
  }

  async apply(partition: number, batch: GraphBatch): Promise<boolean> {
    checkPartition(partition);
    const applied = this.#live.apply(batch);
    if (applied) this.#listeners.tell(partition, batch);
    return applied;
  }

  async beginGeneration(): Promise<GraphGeneration> {
    assert(!this.#building, 'a generation of the graph is being built already');
    const tables = new GraphTables(this.#db, this.#live.generation + 1);
    this.#db.transaction(() => createGeneration(this.#db, tables.generation));
    this.#building = tables;
    const buffered = new BufferedTables(tables);
    return new SqliteGeneration(
      buffered,
      () => this.#promote(tables, buffered),
      () => this.#discard(tables),
    );
  }

  #promote(tables: GraphTables, buffered: BufferedTables): boolean {
    if (this.#live.checkpoint().offset > buffered.checkpoint().offset) return false;
    buffered.flush();
    this.#db.transaction(() => {
      this.#db.prepare('UPDATE live SET generation = ?').run(tables.generation);
      dropGeneration(this.#db, this.#live.generation);
    });
    this.#live = tables;
    this.#building = undefined;
    return true;
  }

  #discard(tables: GraphTables): void {
    if (this.#building !== tables) return;
    this.#db.transaction(() => dropGeneration(this.#db, tables.generation));
    this.#building = undefined;
  }

  async outcome(_partition: number, txid: string) {
    return this.#live.outcome(txid);
  }

  /** Within one turn of the only process that writes. */
  async outcomeAt(_partition: number, txid: string) {
    return { checkpoint: this.#live.checkpoint(), row: this.#live.outcome(txid) };
  }

  async repositories(): Promise<readonly RepositoryRow[]> {
    return this.#live.sql('SELECT * FROM $repository ORDER BY repo').all().map(repositoryOf);
  }

  async repository(repo: RepositoryName) {
    return this.#live.repository(repo);
  }

  async ref(repo: RepositoryName, ref: RefName) {
    return this.#live.ref(repo, ref);
  }

  async refs(repo: RepositoryName, upTo?: number) {
    if (upTo !== undefined) return this.#refsUpTo(repo, upTo);
    const select = 'SELECT ref, id, version FROM $ref WHERE repository = ? AND id IS NOT NULL ORDER BY ref';
    return this.#rows(repo, select, (row) => ({
      ref: row['ref'] as RefName,
      value: { commit: commitIdOfBytes(row['id']), version: row['version'] as number },
    }));
  }

  /** Every ref that ever was has a row; its last move up to there is one seek. */
  #refsUpTo(repo: RepositoryName, upTo: number) {
    const repository = this.#live.repositoryId(repo);
    if (repository === undefined) return [];
    const lastMove =
      'SELECT i.key FROM $reflog_ref i WHERE i.repository = r.repository AND i.ref = r.ref AND i.key <= ? ORDER BY i.key DESC LIMIT 1';
    const select = `SELECT r.ref, l.new, l.key FROM $ref r JOIN $reflog l ON l.key = (${lastMove}) WHERE r.repository = ? AND l.new IS NOT NULL ORDER BY r.ref`;
    const rows = this.#live.sql(select).all(keyOf(repository, Math.min(upTo, keysMax)), repository);
    return rows.map((row) => ({
      ref: row['ref'] as RefName,
      value: { commit: commitIdOfBytes(row['new']), version: numberOf(row['key'] as number) },
    }));
  }

  async reflog(repo: RepositoryName, { ref, before, limit }: ReflogPage): Promise<readonly ReflogRow[]> {
    const repository = this.#live.repositoryId(repo);
    if (repository === undefined) return [];
    const range = [keyOf(repository, 0), keyOf(repository, Math.min(before ?? keysMax, keysMax)), limit];
    const rows =
      ref === undefined
        ? this.#live.sql('SELECT * FROM $reflog WHERE key >= ? AND key < ? ORDER BY key DESC LIMIT ?').all(...range)
        : this.#live
            .sql(`${reflogOfRef} AND i.key >= ? AND i.key < ? ORDER BY i.key DESC LIMIT ?`)
            .all(repository, ref, ...range);
    return rows.map((row) => reflogOf(repo, row));
  }

  async reflogAt(repo: RepositoryName, ref: RefName, n: number): Promise<ReflogRow | undefined> {
    const repository = this.#live.repositoryId(repo);
    if (repository === undefined) return undefined;
    const row = this.#live.sql(`${reflogOfRef} ORDER BY i.key DESC LIMIT 1 OFFSET ?`).get(repository, ref, n);
    return optional(row, (found) => reflogOf(repo, found));
  }

  async commit(repo: RepositoryName, id: CommitId) {
    return this.#live.commit(repo, id);
  }

  async commitAt(repo: RepositoryName, seq: number) {
    return this.#live.commitAt(repo, seq);
  }

  async commitBytes(repo: RepositoryName, id: CommitId): Promise<Uint8Array | undefined> {
    const repository = this.#live.repositoryId(repo);
    if (repository === undefined) return undefined;
    const select =
      'SELECT c.bytes FROM $commit_id i JOIN $commits c ON c.key = i.key WHERE i.repository = ? AND i.id = ?';
    return this.#live.sql(select).get(repository, bytesOfHex(id))?.['bytes'] as Uint8Array | undefined;
  }

  async commits(repo: RepositoryName, { before, limit }: Page): Promise<readonly CommitRow[]> {
    const repository = this.#live.repositoryId(repo);
    if (repository === undefined) return [];
    const select = `SELECT ${commitColumns} FROM $commits c WHERE c.key >= ? AND c.key < ? ORDER BY c.key DESC LIMIT ?`;
    const end = keyOf(repository, Math.min(before ?? keysMax, keysMax));
    const rows = this.#live.sql(select).all(keyOf(repository, 0), end, limit);
    return rows.map((row) => commitOf(repo, row));
  }

  async commitsByPrefix(repo: RepositoryName, hexPrefix: string, limit: number): Promise<readonly CommitRow[]> {
    const select = `SELECT ${commitColumns} FROM $commit_id i JOIN $commits c ON c.key = i.key
      WHERE i.repository = ? AND i.id BETWEEN ? AND ? ORDER BY i.id LIMIT ?`;
    return this.#rows(repo, select, (row) => commitOf(repo, row), ...rangeOf(hexPrefix), limit);
  }

  async aliasesByPrefix(repo: RepositoryName, hexPrefix: string, kinds: readonly AliasKind[], limit: number) {
    const select = `SELECT a.name, a.kind, a.key, c.id FROM $alias a JOIN $commits c ON c.key = a.key
      WHERE a.repository = ? AND a.name BETWEEN ? AND ? AND a.kind IN (SELECT value FROM json_each(?))
      ORDER BY a.key LIMIT ?`;
    const read = (row: SqlRow): AliasRow => ({
      repo,
      kind: row['kind'] as AliasKind,
      hex: hexOfBytes(row['name']),
      commit: commitIdOfBytes(row['id']),
      seq: numberOf(row['key'] as number),
    });
    return this.#rows(repo, select, read, ...rangeOf(hexPrefix), JSON.stringify(kinds), limit);
  }

  async layer(_repo: RepositoryName, diffId: DiffId) {
    return this.#live.layer(diffId);
  }

  async blob(_repo: RepositoryName, digest: Digest): Promise<BlobRow | undefined> {
    return copyToRead(this.#live.blobs(digest));
  }

  async copies(_partition: number, digests: readonly Digest[]): Promise<readonly BlobRow[]> {
    return digests.flatMap((digest) => this.#live.blobs(digest));
  }

  async retiredCopies(_partition: number, page: Parameters<GraphReader['retiredCopies']>[1]) {
    return this.#live.retired(page);
  }

  onApplied(listener: (notice: AppliedNotice) => void): () => void {
    return this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    this.#db.close();
  }

  /** Rows of a statement whose first parameter is the number of the repository. */
  #rows<Row>(
    repo: RepositoryName,
    select: string,
    read: (row: SqlRow) => Row,
    ...values: (string | number | Uint8Array)[]
  ): Row[] {
    const repository = this.#live.repositoryId(repo);
    return repository === undefined
      ? []
      : this.#live
          .sql(select)
          .all(repository, ...values)
          .map(read);
  }
}

class SqliteGeneration implements GraphGeneration {
  readonly partitionCount = 1;
  readonly #tables: BufferedTables;
  readonly #promote: () => boolean;
  readonly #discard: () => void;

  constructor(tables: BufferedTables, promote: () => boolean, discard: () => void) {
    this.#tables = tables;
    this.#promote = promote;
    this.#discard = discard;
  }

  async checkpoint() {
    return this.#tables.checkpoint();
  }

  async facts() {
    return this.#tables.facts();
  }

  async apply(partition: number, batch: GraphBatch) {
    checkPartition(partition);
    return this.#tables.apply(batch);
  }

  async promote() {
    return this.#promote();
  }

  async discard() {
    this.#discard();
  }
}

const keysMax = 2 ** 32 - 1;

const reflogOfRef =
  'SELECT r.* FROM $reflog_ref i JOIN $reflog r ON r.key = i.key WHERE i.repository = ? AND i.ref = ?';

/** The least and the greatest id of 32 bytes that start with these hex digits. */
function rangeOf(hexPrefix: string): [Buffer, Buffer] {
  return [bytesOfHex(hexPrefix.padEnd(64, '0')), bytesOfHex(hexPrefix.padEnd(64, 'f'))];
}

function checkPartition(partition: number): void {
  assert(partition === 0, `there is no partition ${partition}: this graph has one`);
}

/** Makes the tables of a new graph, or finds the live generation of the one that is there. */
function openGraph(db: Database): number {
  const applicationId = db.prepare('PRAGMA application_id').get()?.['application_id'];
  const isEmpty = db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
  if (applicationId !== graphApplicationId && !isEmpty) throw foreign(db.name);
  const version = db.prepare('PRAGMA user_version').get()?.['user_version'];
  if (version !== graphSchemaVersion) return createGraph(db);

  const live = Number(db.prepare('SELECT generation FROM live').get()?.['generation']);
  // What a crash left of a rebuild.
  for (const generation of generationsIn(db)) if (generation !== live) dropGeneration(db, generation);
  return live;
}

/** Also what happens to a graph of another version: nothing in it is lost, the log has it all. */
function createGraph(db: Database): number {
  for (const generation of generationsIn(db)) dropGeneration(db, generation);
  db.exec(`DROP TABLE IF EXISTS live`);
  db.exec('CREATE TABLE live (generation INTEGER NOT NULL) STRICT');
  db.exec('INSERT INTO live (generation) VALUES (1)');
  createGeneration(db, 1);
  db.exec(`PRAGMA application_id = ${graphApplicationId}`);
  db.exec(`PRAGMA user_version = ${graphSchemaVersion}`);
  return 1;
}

function foreign({ path, remedy }: DatabaseName): VarveError {
  const message = `${path} is a database of another program, not a graph. Is the path right? ${remedy}`;
  return new VarveError('CORRUPT', message, { path });
}
