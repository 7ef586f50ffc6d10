import { digestOf, hexOf } from './digest.js';
import { unreachable } from './error.js';
import type { BlobSwept, Event, GcFence, LogRecord, TransactionCancel } from './event.js';
import type { DecodedRecord } from './event-codec.js';
import { beginEpoch } from './fold-epoch.js';
import { judgeProposal } from './fold-proposal.js';
import { type Accepted, rejected, type Rejected, Step } from './fold-step.js';
import { type BlobRow, type Change, type Facts, oldestEpoch, type Outcome, type OutcomeRow } from './graph-row.js';
import type { RepositoryName } from './name.js';
import { partitionOf } from './partition.js';
import { recordTime } from './record-time.js';

/** Which part of the log the record stands in. */
export interface Place {
  readonly partition: number;
  readonly partitionCount: number;
}

/**
 * What one record means. `halted`: from here on the log follows rules that this code does not have; going on would
 * decide history differently from those who have them.
 */
export type Decision =
  | { readonly type: 'decided'; readonly changes: readonly Change[]; readonly outcome: OutcomeRow | null }
  | { readonly type: 'halted'; readonly rules: number };

/** The rule set of this file. A change in what it decides, and in the limits it reads, is a new number and a new file. */
const rulesKnown = 1;

/**
 * Judges one record by the state that all records before it made. Pure and total: the same answer in every process, on
 * every replay, for ever; no clock, no randomness, nothing thrown whatever the record holds.
 *
 * A transaction has one outcome: a record whose txid has one already does nothing. A rejected record changes nothing
 * but the clamped time and that outcome, so no later copy of it can take effect.
 * @see event-log 1.4, 1.6
 */
export function decide(
  facts: Facts,
  record: Pick<LogRecord, 'offset' | 'time'>,
  decoded: DecodedRecord,
  place: Place,
): Decision {
  if (decoded.type === 'event' && decoded.event.type === 'rules.activate.v1' && decoded.event.rules !== rulesKnown) {
    return { type: 'halted', rules: decoded.event.rules };
  }
  const placed = { offset: record.offset, time: recordTime(facts.partition().time, record, decoded) };
  const step = new Step(facts, placed);
  const { txid, repo, request } = identityOf(decoded);
  if (txid === null || step.outcome(txid) || !isTimely(step, decoded)) return decided(step, null);

  const outcome = judge(step, decoded, place);
  // A rejection drops what the record had made so far.
  const last = outcome.type === 'accepted' ? step : new Step(facts, placed);
  return decided(last, last.record({ txid, repo, request, outcome }));
}

function decided(step: Step, outcome: OutcomeRow | null): Decision {
  return { type: 'decided', changes: step.facts.changes, outcome };
}

const nothing: Accepted = { type: 'accepted', commits: [], moves: [] };

function judge(step: Step, decoded: DecodedRecord, place: Place): Outcome {
  if (decoded.type === 'malformed') {
    return rejected('RECORD_INVALID', `a record is refused: ${decoded.reason}`, { reason: decoded.reason });
  }
  const { event } = decoded;
  if (event.type === 'rules.activate.v1') {
    step.setPartition({ rules: event.rules });
    return nothing;
  }
  return whatForbids(step, event, place) ?? judgeEvent(step, event);
}

/** What no event may do, whatever it asks for. */
function whatForbids(step: Step, event: Event, { partition, partitionCount }: Place): Rejected | undefined {
  if (step.facts.partition().rules === 0) {
    return rejected('RECORD_INVALID', 'a record stands before any rules were activated');
  }
  if (!('repo' in event)) return undefined;
  const home = partitionOf(event.repo, partitionCount);
  if (home !== partition) {
    return rejected('RECORD_INVALID', `${event.repo} lives in partition ${home}; this record stands in ${partition}`);
  }
  return undefined;
}

function judgeEvent(step: Step, event: Exclude<Event, { type: 'rules.activate.v1' }>): Outcome {
  switch (event.type) {
    case 'repo.create.v1':
    case 'commit.batch.v1':
    case 'ref.update.v1':
      return judgeProposal(step, event);
    case 'tx.cancel.v1':
      return cancel(step, event);
    case 'gc.fence.v1':
      return raiseFence(step, event);
    case 'blob.swept.v1':
      return forgetSwept(step, event);
    case 'checkpoint.v1':
      // It tells readers of the log something, and the graph nothing.
      return nothing;
    default:
      return unreachable(event);
  }
}

/**
 * A record is judged in the epoch it was made in and in the next. Later it is stale: its blobs may be gone, and the
 * outcome that it may have had will be forgotten. One of a fence that has not been is of a log that was cut off. Neither
 * gets an outcome: the writer of the one sees that the fences have passed it, and of the other nobody was told anything.
 * What tells no epoch has no effect that a late copy could repeat. @see event-log 1.6 rule 2
 */
function isTimely(step: Step, decoded: DecodedRecord): boolean {
  if (decoded.type === 'malformed' || !('gcEpoch' in decoded.event)) return true;
  const { gcEpoch } = step.facts.partition();
  const made = decoded.event.gcEpoch;
  return made === gcEpoch || made === gcEpoch - 1;
}

/**
 * The first in the log wins: a transaction that has an outcome keeps it. One that may have had an outcome, which is
 * forgotten, has no use for another: no copy of it is judged any more. @see event-log 1.6 rule 8
 */
function cancel(step: Step, { repo, target, targetEpoch }: TransactionCancel): Outcome {
  if (targetEpoch < oldestEpoch(step.facts.partition()) && !step.outcome(target)) {
    const message = `transaction ${target} of fence ${targetEpoch} is too old to be cancelled: it never takes effect any more, and whether it did is forgotten`;
    return rejected('OUTCOME_EXPIRED', message, { target, targetEpoch });
  }
  const outcome = rejected('TRANSACTION_CANCELLED', `transaction ${target} was cancelled before it took effect`, {
    target,
  });
  step.record({ txid: target, repo, request: null, outcome });
  return nothing;
}

/** From here on the named copies take no new references, also those that no commit has named yet. @see event-log 6.2 */
function raiseFence(step: Step, event: GcFence): Outcome {
  beginEpoch(step, hexOf(digestOf(event.gcId)));
  const epoch = step.facts.partition().gcEpoch;
  for (const copy of event.blobs) {
    const before = copyOf(step, copy);
    if (before && before.retiredEpoch !== null) continue;
    const known = before ?? { ...copy, size: 0, mediaType: '', sweptEpoch: null };
    step.facts.add({ type: 'blob', before: before ?? null, after: { ...known, retiredEpoch: epoch } });
  }
  return nothing;
}

/**
 * Forgets copies that were deleted, when it is told so again two fences later. Until then a proposal that is not stale
 * yet could name one again and be believed: its proposer may have seen the copy in the last instant before it was
 * deleted, however long ago it was retired. @see event-log 1.6 rule 13
 */
function forgetSwept(step: Step, event: BlobSwept): Outcome {
  const { gcEpoch } = step.facts.partition();
  for (const copy of event.blobs) {
    const before = copyOf(step, copy);
    if (!before || before.retiredEpoch === null) continue;
    const { sweptEpoch } = before;
    if (sweptEpoch === null) step.facts.add({ type: 'blob', before, after: { ...before, sweptEpoch: gcEpoch } });
    else if (sweptEpoch + 2 <= gcEpoch) step.facts.add({ type: 'blob', before, after: null });
  }
  return nothing;
}

function copyOf(step: Step, { digest, incarnation }: Pick<BlobRow, 'digest' | 'incarnation'>): BlobRow | undefined {
  return step.facts.blobs(digest).find((row) => row.incarnation === incarnation);
}

interface Identity {
  readonly txid: string | null;
  readonly repo: RepositoryName | null;
  readonly request: string | null;
}

function identityOf(decoded: DecodedRecord): Identity {
  if (decoded.type === 'malformed') return { txid: decoded.txid, repo: decoded.repo, request: null };
  const { event } = decoded;
  if ('repo' in event) return event;
  return { txid: event.txid, repo: null, request: null };
}
