import { hash } from 'node:crypto';
import { canonicalJson } from '#core/canonical-json';
import { type Hash, hashFromBase64, toBase64 } from './merkle.js';

/**
 * The leaf of one record: what it was, when, what the fold made of it, and where every ref stood after it. Digests and
 * no content: a payload can be erased and its proof stays. @see event-log 5.3
 */
export interface AuditEntry {
  readonly partition: number;
  readonly offset: number;
  /** The log's time, clamped to grow, milliseconds since 1970. */
  readonly t: number;
  /** `ref.update.v1`, or `unreadable` for a record that is no event. */
  readonly type: string;
  /** sha256 of the record as it was appended. */
  readonly record: Hash;
  /** `accepted`; `rejected:CODE`; `none` for a copy, a stale record, or one without a transaction. */
  readonly decision: string;
  /** The root of the map (repository, ref) → (commit, version) after this record. */
  readonly state: Hash;
}

export const entryVersion = 1;

/** The canonical text of an entry, in ASCII. Its bytes are what the tree hashes. */
export function entryText({ partition, offset, t, type, record, decision, state }: AuditEntry): string {
  // Written out because it is done for every record: the keys in order, and no text that needs escapes.
  return (
    `{"decision":"${decision}","offset":${offset},"partition":${partition},"record":"${toBase64(record)}",` +
    `"state":"${toBase64(state)}","t":${t},"type":"${type}","v":${entryVersion}}`
  );
}

/** Undefined when the bytes are not the canonical ones of an entry of this version. */
export function decodeEntry(bytes: Uint8Array): AuditEntry | undefined {
  try {
    const text = Buffer.from(bytes).toString('latin1');
    const { partition, offset, t, type, record, decision, state, v } = JSON.parse(text) as Written;
    const hashes = { record: hashFromBase64(record), state: hashFromBase64(state) };
    if (v !== entryVersion || hashes.record === undefined || hashes.state === undefined) return undefined;
    const entry = { partition, offset, t, type, decision, record: hashes.record, state: hashes.state };
    return canonicalJson({ ...entry, record, state, v }) === text && isSane(entry) ? entry : undefined;
  } catch {
    return undefined;
  }
}

/**
 * When a record was and of which type, for questions over very many: that the entry is whole is for `check` and for proofs
 * to show. Undefined when there is no such thing in it.
 */
export function glanceAt(entry: Uint8Array): Pick<AuditEntry, 't' | 'type'> | undefined {
  const text = Buffer.from(entry.buffer, entry.byteOffset, entry.length).toString('latin1');
  const [, t, type] = /"t":(\d{1,16}),"type":"([a-z.0-9]+)","v":\d+\}$/.exec(text) ?? [];
  return t === undefined || type === undefined ? undefined : { t: Number(t), type };
}

/** As an entry stands in JSON, if it is one. */
type Written = Omit<AuditEntry, 'record' | 'state'> & {
  readonly record: string;
  readonly state: string;
  readonly v: number;
};

function isSane({ partition, offset, t, type, decision }: AuditEntry): boolean {
  return (
    [partition, offset, t].every(isCount) &&
    /^[a-z.]+(?:v\d+)?$/.test(type) &&
    /^(?:accepted|none|rejected:[A-Z_]+)$/.test(decision)
  );
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** sha256 of a record's bytes. */
export function recordHash(bytes: Uint8Array): Hash {
  return hash('sha256', bytes, 'binary') as Hash;
}
