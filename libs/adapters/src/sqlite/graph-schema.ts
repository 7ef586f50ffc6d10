import type { Database } from './database.js';

/** Raised when tables or digests change: a graph of another version is dropped and made again from the log. */
export const graphSchemaVersion = 5;

/** `VARV`, so that a file of someone else is never taken for a graph and emptied. */
export const graphApplicationId = 0x56415256;

/**
 * The tables of one generation. A commit and a move of the reflog are keyed by `repository << 32 | number`, so both are
 * appended in order and found by one seek; ids are BLOBs of 32 bytes, so a prefix is a range. Outcomes lie by stretch, so
 * that forgotten ones are removed side by side.
 */
const tables: Readonly<Record<string, string>> = {
  checkpoint: `(
    partition INTEGER PRIMARY KEY, offset INTEGER NOT NULL, record_digest TEXT NOT NULL, state_digest TEXT NOT NULL,
    rules INTEGER NOT NULL, gc_epoch INTEGER NOT NULL, fenced_at INTEGER NOT NULL, time INTEGER NOT NULL,
    gc_run TEXT NOT NULL, stretches TEXT NOT NULL) STRICT`,
  repository: `(
    id INTEGER PRIMARY KEY, repo TEXT NOT NULL UNIQUE, generation INTEGER NOT NULL, default_branch TEXT NOT NULL,
    moves INTEGER NOT NULL, commits INTEGER NOT NULL, floor INTEGER NOT NULL, created_at INTEGER NOT NULL) STRICT`,
  commits: `(
    key INTEGER PRIMARY KEY, id BLOB NOT NULL, parents TEXT NOT NULL, depth INTEGER NOT NULL, jump INTEGER NOT NULL,
    stack_layers INTEGER NOT NULL, chain_id BLOB NOT NULL, own_bytes INTEGER NOT NULL, virtual_bytes INTEGER NOT NULL,
    offset INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT`,
  commit_id: `(
    repository INTEGER NOT NULL, id BLOB NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (repository, id)
    ) STRICT, WITHOUT ROWID`,
  alias: `(
    repository INTEGER NOT NULL, name BLOB NOT NULL, kind TEXT NOT NULL, key INTEGER NOT NULL,
    PRIMARY KEY (repository, name, kind, key)) STRICT, WITHOUT ROWID`,
  ref: `(
    repository INTEGER NOT NULL, ref TEXT NOT NULL, id BLOB, version INTEGER NOT NULL, PRIMARY KEY (repository, ref)
    ) STRICT, WITHOUT ROWID`,
  reflog: `(
    key INTEGER PRIMARY KEY, ref TEXT NOT NULL, old BLOB, new BLOB, operation TEXT NOT NULL, reason TEXT NOT NULL,
    actor TEXT NOT NULL, verified INTEGER NOT NULL, txid TEXT NOT NULL, offset INTEGER NOT NULL, time INTEGER NOT NULL
    ) STRICT`,
  reflog_ref: `(
    repository INTEGER NOT NULL, ref TEXT NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (repository, ref, key)
    ) STRICT, WITHOUT ROWID`,
  outcome: `(
    stretch INTEGER NOT NULL, txid BLOB NOT NULL, repo TEXT, request TEXT, offset INTEGER NOT NULL, time INTEGER NOT NULL,
    outcome TEXT NOT NULL, PRIMARY KEY (stretch, txid)) STRICT, WITHOUT ROWID`,
  layer: `(
    diff_id BLOB PRIMARY KEY, tar_bytes INTEGER NOT NULL, encodings TEXT NOT NULL) STRICT, WITHOUT ROWID`,
  blob: `(
    digest BLOB NOT NULL, incarnation TEXT NOT NULL, size INTEGER NOT NULL, media_type TEXT NOT NULL,
    retired_epoch INTEGER, swept_epoch INTEGER, PRIMARY KEY (digest, incarnation)) STRICT, WITHOUT ROWID`,
};

/** Which copies a collection asks for: few of many, so they have an index of their own, which goes with the table. */
export const isRetiredUnnamed = "retired_epoch IS NOT NULL AND media_type = ''";

export function createGeneration(db: Database, generation: number): void {
  for (const [table, columns] of Object.entries(tables)) db.exec(`CREATE TABLE g${generation}_${table} ${columns}`);
  const blob = `g${generation}_blob`;
  db.exec(`CREATE INDEX ${blob}_retired ON ${blob} (digest, incarnation) WHERE ${isRetiredUnnamed}`);
}

export function dropGeneration(db: Database, generation: number): void {
  for (const table of Object.keys(tables)) db.exec(`DROP TABLE IF EXISTS g${generation}_${table}`);
}

/** The generations that have tables, finished or not. */
export function generationsIn(db: Database): number[] {
  const rows = db
    .prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'g[0-9]*_checkpoint'`)
    .all();
  return rows.map(({ name }) => Number.parseInt(String(name).slice(1), 10));
}
