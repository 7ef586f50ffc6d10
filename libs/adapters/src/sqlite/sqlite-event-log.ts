import { assert } from '#core/error';
import type { LogRecord } from '#core/event';
import { limit } from '#core/limit';
import type { Clock } from '#ports/clock';
import type { EventLog } from '#ports/event-log';
import { firstRecord, newLogId } from '../first-record.js';
import { AppendSignal } from '../follow-appends.js';
import { checkRecordSizes } from '../record-size.js';
import { checkWal } from './check-wal.js';
import { Database, type SqlRow, type Statement } from './database.js';

/** A batch that is read ends after this many bytes, so that large records do not add up. */
const readBytesMax = 4 << 20;

/**
 * The log in one SQLite file, one partition. What `append` has taken survives any crash: WAL with synchronous=FULL,
 * one fsync an append. It belongs to one process (`lockFolder`); followers of this process wake on its appends.
 * @throws CORRUPT, UNAVAILABLE
 */
export function openSqliteEventLog(path: string, clock: Clock): EventLog {
  const remedy = 'It is the only truth: restore it from a copy; nothing can make it again.';
  const name = { path, what: 'event log', remedy };
  checkWal(name, (read) => Number(read('SELECT max(offset) AS last FROM record')?.['last'] ?? -1));
  return new SqliteEventLog(Database.open(name, ['journal_mode=WAL', 'synchronous=FULL']), clock);
}

export class SqliteEventLog implements EventLog {
  readonly id: string;
  readonly partitionCount = 1;
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #appended = new AppendSignal();
  readonly #insert: Statement;
  readonly #last: Statement;
  readonly #from: Statement;

  constructor(db: Database, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
    this.id = db.transaction(() => openLog(db, clock));
    this.#insert = db.prepare('INSERT INTO record (offset, time, bytes) VALUES (?, ?, ?)');
    this.#last = db.prepare('SELECT offset, time FROM record ORDER BY offset DESC LIMIT 1');
    this.#from = db.prepare(
      'SELECT offset, time, bytes FROM record WHERE offset >= ? AND offset < ? ORDER BY offset LIMIT ?',
    );
    // A new one goes into its file at once: copied without its WAL, a log is the beginning of itself, and no new one.
    if ((this.#last.get() as SqlRow)['offset'] === 0) db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }

  async append(partition: number, records: readonly Uint8Array[]): Promise<void> {
    this.#check(partition);
    checkRecordSizes(records);
    if (records.length === 0) return;
    this.#db.transaction(() => {
      const last = this.#last.get() as SqlRow;
      const time = Math.max(this.#clock.now(), Number(last['time']));
      let offset = Number(last['offset']);
      for (const bytes of records) this.#insert.run((offset += 1), time, bytes);
    });
    this.#appended.wake();
  }

  async *read(partition: number, from: number): AsyncGenerator<readonly LogRecord[]> {
    const end = await this.end(partition);
    for (let at = from; at < end;) {
      const batch = this.#batch(at, end);
      const last = batch.at(-1);
      if (!last) return;
      yield batch;
      // By what is there, not by how much: where records are gone from the file, whoever reads it sees the gap.
      at = last.offset + 1;
    }
  }

  async *follow(partition: number, from: number, signal: AbortSignal): AsyncGenerator<readonly LogRecord[]> {
    for (let at = from; !signal.aborted;) {
      const more = this.#appended.next(signal);
      for await (const batch of this.read(partition, at)) {
        if (signal.aborted) return;
        yield batch;
        at = (batch.at(-1) as LogRecord).offset + 1;
      }
      await more;
    }
  }

  async end(partition: number): Promise<number> {
    this.#check(partition);
    return Number((this.#last.get() as SqlRow)['offset']) + 1;
  }

  async close(): Promise<void> {
    this.#db.close();
  }

  #batch(from: number, end: number): LogRecord[] {
    let sizeBytes = 0;
    const isFull = ({ bytes }: SqlRow) => (sizeBytes += (bytes as Uint8Array).length) >= readBytesMax;
    const rows = this.#from.some(isFull, from, end, limit.applyRecordsMax);
    return rows.map(({ offset, time, bytes }) => ({
      offset: offset as number,
      time: time as number,
      bytes: bytes as Uint8Array,
    }));
  }

  #check(partition: number): void {
    assert(partition === 0, `there is no partition ${partition}: this log has one`);
  }
}

/** Makes a new log, with its name and its first record, or reads the name of the one that is there. */
function openLog(db: Database, clock: Clock): string {
  db.exec('CREATE TABLE IF NOT EXISTS log (id TEXT NOT NULL) STRICT');
  db.exec(
    'CREATE TABLE IF NOT EXISTS record (offset INTEGER PRIMARY KEY, time INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT',
  );
  const known = db.prepare('SELECT id FROM log').get();
  if (known) return String(known['id']);
  const id = newLogId();
  db.prepare('INSERT INTO log (id) VALUES (?)').run(id);
  const time = clock.now();
  db.prepare('INSERT INTO record (offset, time, bytes) VALUES (0, ?, ?)').run(time, firstRecord(id, time));
  return id;
}
