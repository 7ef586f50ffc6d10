import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { type DatabaseName, translateError } from './sqlite-error.js';

export type SqlRow = Record<string, SQLOutputValue>;

/** One open SQLite file whose errors are ours. Calls are synchronous: keep them short. */
export class Database {
  readonly name: DatabaseName;
  readonly #db: DatabaseSync;
  readonly #begin: Statement;
  readonly #commit: Statement;

  private constructor(db: DatabaseSync, name: DatabaseName) {
    this.#db = db;
    this.name = name;
    this.#begin = this.prepare('BEGIN IMMEDIATE');
    this.#commit = this.prepare('COMMIT');
  }

  /** @throws CORRUPT when it is no database or a broken one, UNAVAILABLE */
  static open(name: DatabaseName, pragmas: readonly string[]): Database {
    let db: DatabaseSync | undefined;
    try {
      db = new DatabaseSync(name.path, { timeout: 1_000 });
      for (const pragma of pragmas) db.exec(`PRAGMA ${pragma}`);
      return new Database(db, name);
    } catch (error) {
      db?.close();
      throw translateError(error, name);
    }
  }

  prepare(sql: string): Statement {
    return this.#ours(() => new Statement(this.#db.prepare(sql), this.name));
  }

  exec(sql: string): void {
    this.#ours(() => this.#db.exec(sql));
  }

  /** All of `work` or nothing of it. */
  transaction<T>(work: () => T): T {
    this.#begin.run();
    try {
      const answer = work();
      this.#commit.run();
      return answer;
    } catch (error) {
      // A full disk may have rolled it back already.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  #ours<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw translateError(error, this.name);
    }
  }
}

/** A prepared statement whose errors are ours. */
export class Statement {
  readonly #statement: StatementSync;
  readonly #name: DatabaseName;

  constructor(statement: StatementSync, name: DatabaseName) {
    this.#statement = statement;
    this.#name = name;
  }

  get(...values: SQLInputValue[]): SqlRow | undefined {
    try {
      return this.#statement.get(...values);
    } catch (error) {
      throw translateError(error, this.#name);
    }
  }

  all(...values: SQLInputValue[]): SqlRow[] {
    try {
      return this.#statement.all(...values);
    } catch (error) {
      throw translateError(error, this.#name);
    }
  }

  /** The first rows, until `enough` says so of the last one. */
  some(enough: (row: SqlRow) => boolean, ...values: SQLInputValue[]): SqlRow[] {
    try {
      const rows: SqlRow[] = [];
      for (const row of this.#statement.iterate(...values)) {
        rows.push(row);
        if (enough(row)) break;
      }
      return rows;
    } catch (error) {
      throw translateError(error, this.#name);
    }
  }

  run(...values: SQLInputValue[]): void {
    try {
      this.#statement.run(...values);
    } catch (error) {
      throw translateError(error, this.#name);
    }
  }
}
