import type { Digest } from '#core/digest';
import type { Job, JobId, Tarball, TarballKey } from '#core/job';
import type { JobQueue } from '#ports/job-queue';
import { JobListeners, type JobSwap, type JobTable, type KeptTarball, type Swapped } from '../job-table.js';
import { LeaseQueue, type LeaseQueueOptions } from '../lease-queue.js';
import { Database, type SqlRow } from './database.js';

const schema = `
  CREATE TABLE IF NOT EXISTS job (
    id TEXT PRIMARY KEY, text TEXT NOT NULL, state TEXT NOT NULL, changed_at INTEGER NOT NULL, due_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS job_due ON job (due_at) WHERE due_at IS NOT NULL;
  CREATE INDEX IF NOT EXISTS job_changed ON job (changed_at, id);
  CREATE INDEX IF NOT EXISTS job_state ON job (state, changed_at, id);
  CREATE TABLE IF NOT EXISTS tarball (
    name TEXT PRIMARY KEY, text TEXT NOT NULL, key TEXT NOT NULL, size_bytes INTEGER NOT NULL,
    used_at INTEGER NOT NULL, pinned_until INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS tarball_key ON tarball (key);
  CREATE INDEX IF NOT EXISTS tarball_used ON tarball (used_at, name);
  CREATE TABLE IF NOT EXISTS discard (
    version INTEGER NOT NULL, key TEXT NOT NULL, due_at INTEGER NOT NULL, is_taken INTEGER NOT NULL,
    PRIMARY KEY (version, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS discard_due ON discard (due_at);
`;

/**
 * The queue in an SQLite file of its own, beside the graph's. What a power cut takes of it is asked for again, so no
 * fsync is waited for. It belongs to one process (`lockFolder`): leases that it finds are over. @throws CORRUPT, UNAVAILABLE, STORAGE_FULL
 */
export function openSqliteJobQueue(path: string, options: LeaseQueueOptions): JobQueue {
  const remedy = 'Nothing but tarballs that can be made again hangs on it: remove the file and start again.';
  const db = Database.open({ path, what: 'job queue', remedy }, ['journal_mode=WAL', 'synchronous=NORMAL']);
  try {
    db.exec(schema);
    // Whoever held a lease here was this file's only process, and is gone.
    db.exec("UPDATE job SET due_at = 0 WHERE state = 'running'");
    return new LeaseQueue(new SqliteJobTable(db), options);
  } catch (error) {
    db.close();
    throw error;
  }
}

class SqliteJobTable implements JobTable {
  readonly #db: Database;
  readonly #sql: ReturnType<typeof prepareAll>;
  readonly #listeners = new JobListeners();

  constructor(db: Database) {
    this.#db = db;
    this.#sql = prepareAll(db);
  }

  async read(id: JobId): Promise<Job | undefined> {
    const row = this.#sql.job.get(id);
    return row && jobOf(row);
  }

  async due(now: number, limit: number): Promise<readonly Job[]> {
    return this.#sql.due.all(now, limit).map(jobOf);
  }

  async list({ state, after, limit }: Parameters<JobTable['list']>[0]): Promise<readonly Job[]> {
    const { changedAt, id } = after ?? { changedAt: Number.MAX_SAFE_INTEGER, id: '' };
    const rows =
      state === undefined
        ? this.#sql.list.all(changedAt, id, limit)
        : this.#sql.listState.all(state, changedAt, id, limit);
    return rows.map(jobOf);
  }

  async unchanged(states: readonly Job['state'][], before: number, limit: number): Promise<readonly Job[]> {
    return states.flatMap((state) => this.#sql.unchanged.all(state, before, limit).map(jobOf)).slice(0, limit);
  }

  async swap({ before, after, publish, pinnedUntil = 0 }: JobSwap): Promise<Swapped> {
    const id = (after ?? before)?.id as JobId;
    const swapped = this.#db.transaction(() => {
      const text = this.#sql.job.get(id)?.['text'];
      if (text !== (before && JSON.stringify(before))) return 'changed';
      const refused = publish && this.#publish(publish, pinnedUntil);
      if (refused) return refused;
      if (after) this.#sql.putJob.run(id, JSON.stringify(after), after.state, after.changedAt, after.dueAt);
      else this.#sql.removeJob.run(id);
      return 'swapped';
    });
    if (swapped === 'swapped') this.#listeners.tell(id);
    return swapped;
  }

  onChanged(listener: (id: JobId) => void): () => void {
    return this.#listeners.add(listener);
  }

  async tarball(name: string): Promise<KeptTarball | undefined> {
    const row = this.#sql.tarball.get(name);
    return row && tarballOf(row);
  }

  async pin(name: string, pinnedUntil: number): Promise<boolean> {
    return this.#sql.pin.get(pinnedUntil, name) !== undefined;
  }

  async touch(name: string, usedAt: number): Promise<void> {
    this.#sql.touch.run(usedAt, name);
  }

  async unused(after: Parameters<JobTable['unused']>[0], limit: number): Promise<readonly KeptTarball[]> {
    return this.#sql.unused.all(after?.usedAt ?? -1, after?.tarball.name ?? '', limit).map(tarballOf);
  }

  async tarballBytes(): Promise<number> {
    return Number(this.#sql.tarballBytes.get()?.['bytes']);
  }

  async unpublish({ name, key, version }: Tarball, now: number, dueAt: number): Promise<boolean> {
    return this.#db.transaction(() => {
      if (!this.#sql.removeTarball.get(name, key, now)) return false;
      this.#sql.discard.run(version, key, dueAt);
      return true;
    });
  }

  async discard({ key, version }: TarballKey, dueAt: number): Promise<void> {
    this.#sql.discard.run(version, key, dueAt);
  }

  async isDiscarded({ key, version }: TarballKey): Promise<boolean> {
    return this.#sql.isDiscarded.get(version, key) !== undefined;
  }

  async takeDue(now: number, limit: number): Promise<readonly TarballKey[]> {
    return this.#sql.takeDue.all(now, limit).map((row) => ({
      version: Number(row['version']),
      key: row['key'] as Digest,
    }));
  }

  async forget({ key, version }: TarballKey): Promise<void> {
    this.#sql.forget.run(version, key);
  }

  async close(): Promise<void> {
    this.#db.close();
  }

  #publish(tarball: Tarball, pinnedUntil: number): 'taken' | 'gone' | undefined {
    const { name, key, version, sizeBytes, createdAt } = tarball;
    if (this.#sql.tarball.get(name)) return 'taken';
    if (!this.#sql.takeBack.get(version, key)) return 'gone';
    this.#sql.putTarball.run(name, JSON.stringify(tarball), key, sizeBytes, createdAt, pinnedUntil);
    return undefined;
  }
}

function prepareAll(db: Database) {
  return {
    job: db.prepare('SELECT text FROM job WHERE id = ?'),
    due: db.prepare('SELECT text FROM job WHERE due_at <= ? ORDER BY due_at, id LIMIT ?'),
    list: db.prepare('SELECT text FROM job WHERE (changed_at, id) < (?, ?) ORDER BY changed_at DESC, id DESC LIMIT ?'),
    listState: db.prepare(
      'SELECT text FROM job WHERE state = ? AND (changed_at, id) < (?, ?) ORDER BY changed_at DESC, id DESC LIMIT ?',
    ),
    unchanged: db.prepare('SELECT text FROM job WHERE state = ? AND changed_at < ? LIMIT ?'),
    putJob: db.prepare('INSERT OR REPLACE INTO job (id, text, state, changed_at, due_at) VALUES (?, ?, ?, ?, ?)'),
    removeJob: db.prepare('DELETE FROM job WHERE id = ?'),
    tarball: db.prepare('SELECT text, used_at, pinned_until FROM tarball WHERE name = ?'),
    pin: db.prepare('UPDATE tarball SET pinned_until = max(pinned_until, ?) WHERE name = ? RETURNING name'),
    touch: db.prepare('UPDATE tarball SET used_at = max(used_at, ?) WHERE name = ?'),
    unused: db.prepare(
      'SELECT text, used_at, pinned_until FROM tarball WHERE (used_at, name) > (?, ?) ORDER BY used_at, name LIMIT ?',
    ),
    tarballBytes: db.prepare('SELECT coalesce(sum(size_bytes), 0) AS bytes FROM tarball'),
    putTarball: db.prepare(
      'INSERT INTO tarball (name, text, key, size_bytes, used_at, pinned_until) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    removeTarball: db.prepare('DELETE FROM tarball WHERE name = ? AND key = ? AND pinned_until <= ? RETURNING name'),
    discard: db.prepare(
      `INSERT INTO discard (version, key, due_at, is_taken) SELECT ?1, ?2, ?3, 0
         WHERE NOT EXISTS (SELECT 1 FROM tarball WHERE key = ?2)
         ON CONFLICT DO UPDATE SET due_at = max(due_at, excluded.due_at) WHERE is_taken = 0`,
    ),
    isDiscarded: db.prepare('SELECT 1 FROM discard WHERE version = ? AND key = ?'),
    takeBack: db.prepare('DELETE FROM discard WHERE version = ? AND key = ? AND is_taken = 0 RETURNING key'),
    takeDue: db.prepare(
      `UPDATE discard SET is_taken = 1 WHERE (version, key) IN
         (SELECT version, key FROM discard WHERE due_at <= ? ORDER BY due_at LIMIT ?) RETURNING version, key`,
    ),
    forget: db.prepare('DELETE FROM discard WHERE version = ? AND key = ?'),
  };
}

function jobOf(row: SqlRow): Job {
  return JSON.parse(row['text'] as string) as Job;
}

function tarballOf(row: SqlRow): KeptTarball {
  return {
    tarball: JSON.parse(row['text'] as string) as Tarball,
    usedAt: Number(row['used_at']),
    pinnedUntil: Number(row['pinned_until']),
  };
}
