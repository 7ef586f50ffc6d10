import type { LogRecord } from '#core/event';
import { decodeEvent } from '#core/event-codec';
import { recordTime } from '#core/record-time';
import type { AuditStore } from '#ports/audit-store';
import type { EventLog } from '#ports/event-log';
import { type AuditEntry, decodeEntry, recordHash } from './entry.js';
import { emptyRoot, type Hash, leafHash, nodeHash, rootOf, toBase64 } from './merkle.js';
import type { NoteVerifier } from './note.js';
import { openCheckpoint } from './checkpoint.js';
import { hashReader } from './read-hashes.js';

/** What a check found: a record or a tree that is not what was signed, or how many records it has compared. */
export type AuditFinding =
  | { readonly type: 'record' | 'tree'; readonly partition: number; readonly offset: number; readonly message: string }
  | { readonly type: 'compared'; readonly records: number };

interface Checked {
  readonly log: EventLog;
  readonly store: AuditStore;
  /** Undefined when nothing was signed. */
  readonly verifier: NoteVerifier | undefined;
}

const pageEntries = 256;
const remedy = 'Keep what is there as evidence, and restore the event log and the audit store from a copy';

/**
 * Compares the event log with a tree, record by record, and the tree with what was signed of it: its root is made again
 * from the entries, and again from the tiles.
 */
export async function* checkAudit({ log, store, verifier }: Checked, tree: number): AsyncGenerator<AuditFinding> {
  const { entries: size } = await store.size(tree);
  const note = await store.checkpoint(tree);
  const signed = note === undefined || !verifier ? undefined : openCheckpoint(note, verifier);
  const roots = new RunningRoot();
  const records = recordsOf(log, tree);
  let time = 0;
  let signedRoot: Hash | undefined = signed?.size === 0 ? emptyRoot : undefined;
  for (let from = 0; from < size; from += pageEntries) {
    const rows = await store.entries(tree, from, Math.min(size, from + pageEntries));
    for (const [i, row] of rows.entries()) {
      const offset = from + i;
      roots.add(leafHash(row.entry));
      if (offset + 1 === signed?.size) signedRoot = roots.root();
      const entry = decodeEntry(row.entry);
      const { value: record } = await records.next();
      if (record) time = recordTime(time, record, decodeEvent(record.bytes));
      const wrong = whatIsWrong({ entry, record, offset, time });
      if (wrong === undefined) continue;
      yield { type: 'record', partition: tree, offset, message: `${wrong}. ${remedy}` };
      // From a record that is missing on, all others stand at the wrong place.
      if (record?.offset !== offset) return;
    }
    yield { type: 'compared', records: rows.length };
  }
  const fault = (message: string): AuditFinding => ({
    type: 'tree',
    partition: tree,
    offset: size,
    message: `${message}. ${remedy}`,
  });
  if (signed && signedRoot !== signed.root) {
    const actual = signedRoot === undefined ? `there are ${size} entries` : `the entries give ${toBase64(signedRoot)}`;
    yield fault(`the root signed over ${signed.size} records is ${toBase64(signed.root)}; ${actual}`);
  }
  if (size > 0 && (await rootOf(size, hashReader(store, tree))) !== roots.root())
    yield fault('the tiles have another root than the entries');
}

interface Pair {
  readonly entry: AuditEntry | undefined;
  readonly record: LogRecord | undefined;
  readonly offset: number;
  readonly time: number;
}

function whatIsWrong({ entry, record, offset, time }: Pair): string | undefined {
  if (!entry || entry.offset !== offset) return `entry ${offset} of the audit tree is damaged`;
  if (record?.offset !== offset) return `record ${offset} is missing from the event log; the audit tree has it`;
  if (recordHash(record.bytes) !== entry.record)
    return `the bytes of record ${offset} are not those that the audit tree has`;
  if (time !== entry.t) return `record ${offset} is of ${time} in the event log and of ${entry.t} in the audit tree`;
  return undefined;
}

async function* recordsOf(log: EventLog, partition: number): AsyncGenerator<LogRecord, undefined> {
  for await (const batch of log.read(partition, 0)) yield* batch;
  return undefined;
}

/** The root of a tree while its leaves pass: the roots of its complete subtrees, largest first. */
class RunningRoot {
  readonly #roots: Hash[] = [];
  #size = 0;

  add(leaf: Hash): void {
    this.#roots.push(leaf);
    this.#size += 1;
    for (let at = this.#size; at % 2 === 0; at /= 2) {
      const right = this.#roots.pop() as Hash;
      this.#roots.push(nodeHash(this.#roots.pop() as Hash, right));
    }
  }

  root(): Hash {
    return this.#roots.reduceRight((right, left) => nodeHash(left, right));
  }
}
