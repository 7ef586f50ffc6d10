import type { Event, LogRecord } from '#core/event';
import { decodeEvent } from '#core/event-codec';
import type { OutcomeRow } from '#core/graph-row';
import { recordTime } from '#core/record-time';
import { type AuditAbout, wordsOf } from './audit-about.js';
import type { JudgedRecord } from './audit-tree.js';
import { recordHash } from './entry.js';

/** Looks up the outcome of a transaction, as the fold has recorded it. */
export type ReadOutcome = (txid: string) => Promise<OutcomeRow | undefined>;

/**
 * What the fold made of a record that it has seen. The outcome of its transaction is the record's own only if it was
 * made at this offset: every other copy did nothing. @see event-log 1.6 rule 1
 */
export async function judgedRecord(record: LogRecord, read: ReadOutcome): Promise<JudgedRecord> {
  const { offset, bytes } = record;
  const decoded = decodeEvent(bytes);
  const event = decoded.type === 'event' ? decoded.event : undefined;
  const txid = decoded.type === 'event' ? decoded.event.txid : decoded.txid;
  const row = txid === null ? undefined : await read(txid);
  const own = row?.offset === offset ? row : undefined;
  const moves = own?.outcome.type === 'accepted' ? own.outcome.moves : [];
  const about = aboutRecord(event, txid, own);
  return {
    offset,
    timeAfter: (before) => recordTime(before, record, decoded),
    type: event?.type ?? 'unreadable',
    record: recordHash(bytes),
    decision: decisionOf(own),
    repo: own?.repo ?? null,
    moves,
    about: JSON.stringify(about),
    words: wordsOf(about),
    checkpoint: event?.type === 'checkpoint.v1' ? event.note : undefined,
  };
}

function decisionOf(row: OutcomeRow | undefined): string {
  if (!row) return 'none';
  return row.outcome.type === 'accepted' ? 'accepted' : `rejected:${row.outcome.code}`;
}

function aboutRecord(event: Event | undefined, txid: string | null, own: OutcomeRow | undefined): AuditAbout {
  const base = { txid, repo: event && 'repo' in event ? event.repo : (own?.repo ?? null), decision: decisionOf(own) };
  if (!event) return base;
  const why = own?.outcome.type === 'rejected' ? { message: own.outcome.message } : {};
  if (!('actor' in event)) return { ...base, ...why };
  const { actor, requestId } = event;
  const who = { ...base, ...why, actor, ...(requestId === undefined ? {} : { requestId }) };
  if (!('updates' in event)) return who;
  const { operation, reason, updates } = event;
  const accepted = own?.outcome.type === 'accepted' ? own.outcome : undefined;
  const moves = updates.map(({ ref, expect, to }) => ({
    ref,
    from: expect.commit,
    to,
    ...(accepted && { version: accepted.moves.find((move) => move.ref === ref)?.version }),
  }));
  return { ...who, operation, reason, moves, commits: accepted?.commits ?? [] };
}
