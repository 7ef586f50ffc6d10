import { setImmediate as immediate } from 'node:timers/promises';
import { VarveError } from '#core/error';
import type { AuditAlarm, AuditBatch, AuditQuestion, AuditRow, AuditStore, AuditTreeSize } from '#ports/audit-store';
import { AuditNotices } from '../audit-notices.js';
import { Database, type SqlRow, type Statement } from './database.js';
import { signatureOf } from './term-signature.js';

/** Rows of all trees stand in one order: the tree, then the number in it. */
const perTree = 2 ** 40;
const searchRowsMax = 256;
/** Rows that one step of a search passes over: some milliseconds. */
const scannedRowsMax = 32_768;

/**
 * Audit trees in one SQLite file. Appends are synced at checkpoints of the file (what is lost can be made again from the
 * log); a publication is durable when it returns. @throws CORRUPT, UNAVAILABLE, CONFIG_INVALID
 */
export function openSqliteAuditStore(path: string): AuditStore {
  const remedy =
    'Restore it from a copy, for its checkpoints are promises; all else in it is made again from the event log.';
  const pragmas = ['journal_mode=WAL', 'synchronous=NORMAL'];
  return new SqliteAuditStore(Database.open({ path, what: 'audit store', remedy }, pragmas));
}

class SqliteAuditStore implements AuditStore {
  readonly #db: Database;
  readonly #s: ReturnType<typeof statements>;
  readonly #notices = new AuditNotices();

  constructor(db: Database) {
    this.#db = db;
    db.transaction(() => {
      for (const table of tables) db.exec(table);
      db.exec(wordsOfOlderRows);
    });
    this.#s = statements(db);
  }

  async bind(logId: string): Promise<void> {
    this.#s.bind.run(logId);
    const known = String((this.#s.bound.get() as SqlRow)['id']);
    if (known === logId) return;
    const message = `the audit store ${this.#db.name.path} is of log ${known}; the event log is ${logId}: set VARVE_AUDIT_STORE to the store of this log, or to a new file`;
    throw new VarveError('CONFIG_INVALID', message, { expected: logId, actual: known });
  }

  async size(tree: number): Promise<AuditTreeSize> {
    return this.#size(tree);
  }

  async append(tree: number, { from, rows, paths, tiles }: AuditBatch): Promise<boolean> {
    return this.#db.transaction(() => {
      const { entries, moves } = this.#size(tree);
      if (entries !== from.entries || moves !== from.moves) return false;
      const base = tree * perTree;
      for (const { offset, entry, moves: upTo, about, words = [] } of rows) {
        this.#s.addEntry.run(base + offset, entry, upTo);
        this.#s.addAbout.run(base + offset, about);
        this.#s.addWords.run(base + offset, signatureOf(words));
      }
      paths.forEach((path, i) => this.#s.addPath.run(base + moves + i, path));
      for (const { level, index, hashes } of tiles) this.#s.setTile.run(tree, level, index, hashes);
      return true;
    });
  }

  async entries(tree: number, from: number, to: number): Promise<readonly AuditRow[]> {
    const base = tree * perTree;
    return this.#s.entries.all(base + from, base + to).map((row) => auditRow(base, row));
  }

  async tile(tree: number, level: number, index: number): Promise<Uint8Array | undefined> {
    return this.#s.tile.get(tree, level, index)?.['hashes'] as Uint8Array | undefined;
  }

  async path(tree: number, n: number): Promise<Uint8Array | undefined> {
    return this.#s.path.get(tree * perTree + n)?.['bytes'] as Uint8Array | undefined;
  }

  async *search(tree: number, { from, to, texts, words = [] }: AuditQuestion): AsyncGenerator<readonly AuditRow[]> {
    const base = tree * perTree;
    const where = texts.map(() => ' AND instr(a.text, ?) > 0').join('');
    // What passes by its words is few; the text of it is read then, and not before.
    const find = this.#db.prepare(
      `SELECT w.id FROM words w CROSS JOIN about a ON a.id = w.id
         WHERE w.id >= ? AND w.id < ? AND (w.bits & ?) = ?${where} ORDER BY w.id LIMIT ${searchRowsMax}`,
    );
    const bits = signatureOf(words);
    const end = base + Math.min(to, this.#size(tree).entries);
    for (let at = base + from; at < end;) {
      const next = Math.min(end, at + scannedRowsMax);
      const ids = find.all(at, next, bits, bits, ...texts).map(({ id }) => id as number);
      if (ids.length > 0) yield ids.map((id) => auditRow(base, this.#s.entry.get(id) as SqlRow));
      at = ids.length < searchRowsMax ? next : (ids.at(-1) as number) + 1;
      // Others wait for this thread.
      await immediate();
    }
  }

  async checkpoint(tree: number): Promise<string | undefined> {
    return this.#s.checkpoint.get(tree)?.['note'] as string | undefined;
  }

  async publish(tree: number, before: string | undefined, next: string): Promise<boolean> {
    this.#db.exec('PRAGMA synchronous=FULL');
    try {
      return this.#db.transaction(() => {
        if ((this.#s.checkpoint.get(tree)?.['note'] as string | undefined) !== before) return false;
        this.#s.publish.run(tree, next);
        return true;
      });
    } finally {
      this.#db.exec('PRAGMA synchronous=NORMAL');
    }
  }

  async introduce(key: string): Promise<void> {
    this.#s.introduce.run(key);
  }

  async key(): Promise<string | undefined> {
    return this.#s.signer.get()?.['key'] as string | undefined;
  }

  async wish(tree: number): Promise<void> {
    this.#notices.wish(tree);
  }

  onWish(listener: (tree: number) => void): () => void {
    return this.#notices.onWish(listener);
  }

  async raise(alarm: AuditAlarm | undefined): Promise<void> {
    this.#notices.alarm = alarm;
  }

  async alarm(): Promise<AuditAlarm | undefined> {
    return this.#notices.alarm;
  }

  async close(): Promise<void> {
    this.#db.close();
  }

  #size(tree: number): AuditTreeSize {
    const last = this.#s.last.get(tree * perTree, (tree + 1) * perTree);
    if (!last) return { entries: 0, moves: 0 };
    return { entries: (last['id'] as number) - tree * perTree + 1, moves: last['moves'] as number };
  }
}

const tables = [
  'CREATE TABLE IF NOT EXISTS log (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL) STRICT',
  'CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL, moves INTEGER NOT NULL) STRICT',
  // Apart, because a search reads all of these and none of those.
  'CREATE TABLE IF NOT EXISTS about (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT',
  // Still less, for what a question passes over.
  'CREATE TABLE IF NOT EXISTS words (id INTEGER PRIMARY KEY, bits INTEGER NOT NULL) STRICT',
  'CREATE TABLE IF NOT EXISTS path (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT',
  `CREATE TABLE IF NOT EXISTS tile (tree INTEGER NOT NULL, level INTEGER NOT NULL, number INTEGER NOT NULL,
     hashes BLOB NOT NULL, UNIQUE (tree, level, number)) STRICT`,
  'CREATE TABLE IF NOT EXISTS signer (one INTEGER PRIMARY KEY CHECK (one = 1), key TEXT NOT NULL) STRICT',
  'CREATE TABLE IF NOT EXISTS checkpoint (tree INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT',
];

/** Rows that were stored before there were words have all of them: nothing that is asked for is passed over. */
const wordsOfOlderRows = `INSERT INTO words (id, bits) SELECT id, ${2 ** 52 - 1} FROM about
  WHERE NOT EXISTS (SELECT 1 FROM words)`;

function statements(db: Database) {
  const prepare = (sql: string): Statement => db.prepare(sql);
  const joined = 'SELECT e.id, e.bytes, e.moves, a.text FROM entry e JOIN about a ON a.id = e.id';
  return {
    bind: prepare('INSERT INTO log (one, id) VALUES (1, ?) ON CONFLICT DO NOTHING'),
    bound: prepare('SELECT id FROM log'),
    introduce: prepare('INSERT INTO signer (one, key) VALUES (1, ?) ON CONFLICT DO UPDATE SET key = excluded.key'),
    signer: prepare('SELECT key FROM signer'),
    last: prepare('SELECT id, moves FROM entry WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT 1'),
    addEntry: prepare('INSERT INTO entry (id, bytes, moves) VALUES (?, ?, ?)'),
    addAbout: prepare('INSERT INTO about (id, text) VALUES (?, ?)'),
    addWords: prepare('INSERT INTO words (id, bits) VALUES (?, ?)'),
    addPath: prepare('INSERT INTO path (id, bytes) VALUES (?, ?)'),
    setTile: prepare(
      'INSERT INTO tile (tree, level, number, hashes) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET hashes = excluded.hashes',
    ),
    entries: prepare(`${joined} WHERE e.id >= ? AND e.id < ? ORDER BY e.id`),
    entry: prepare(`${joined} WHERE e.id = ?`),
    tile: prepare('SELECT hashes FROM tile WHERE tree = ? AND level = ? AND number = ?'),
    path: prepare('SELECT bytes FROM path WHERE id = ?'),
    checkpoint: prepare('SELECT note FROM checkpoint WHERE tree = ?'),
    publish: prepare(
      'INSERT INTO checkpoint (tree, note) VALUES (?, ?) ON CONFLICT DO UPDATE SET note = excluded.note',
    ),
  };
}

function auditRow(base: number, { id, bytes, moves, text }: SqlRow): AuditRow {
  return { offset: (id as number) - base, entry: bytes as Uint8Array, moves: moves as number, about: text as string };
}
