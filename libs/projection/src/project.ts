import { coalesce } from '#core/coalesce';
import { digestOf, hexOf } from '#core/digest';
import { assert, VarveError } from '#core/error';
import type { LogRecord } from '#core/event';
import { type DecodedRecord, decodeEvent } from '#core/event-codec';
import { decide, type Place } from '#core/fold';
import type { Facts } from '#core/graph-row';
import { limit } from '#core/limit';
import { OverlayFacts } from '#core/overlay-facts';
import { stateDigestAfter } from '#core/state-digest';
import type { Checkpoint, GraphBatch, GraphStore, StoredFacts } from '#ports/graph-store';

/** Where batches go: the live graph, or one under construction. */
export type ProjectionTarget = Pick<GraphStore, 'checkpoint' | 'facts' | 'apply' | 'partitionCount'>;

/** How far a graph is, and what it is. */
export type Projected = Pick<Checkpoint, 'offset' | 'recordDigest' | 'stateDigest'>;

interface Decoded {
  readonly record: LogRecord;
  readonly decoded: DecodedRecord;
}

/**
 * Folds records that follow `from`, in order, and applies what they mean, as a rule in one step; in several when they
 * mean so much that a step would keep others waiting. A record is never divided. Undefined when the graph is not where
 * the step began, because another projector was faster or the store lost its tail: its own checkpoint says where it is.
 * @throws UNSUPPORTED when the log follows rules that this code does not have; nothing of that record is applied
 */
export async function project(
  target: ProjectionTarget,
  partition: number,
  from: Projected,
  records: readonly LogRecord[],
): Promise<Projected | undefined> {
  let waiting: readonly Decoded[] = records.map((record) => ({ record, decoded: decodeEvent(record.bytes) }));
  let at: Projected | undefined = from;
  while (at && waiting.length > 0) {
    const { offset } = at;
    waiting = waiting.filter(({ record }) => record.offset > offset);
    if (waiting.length > 0) at = await projectStep(target, partition, at, waiting.slice(0, countInStep(waiting)));
  }
  return at;
}

/** Of what waits, what is looked at in one step: at least one record. */
function countInStep(records: readonly Decoded[]): number {
  let bytes = 0;
  const beyond = records.findIndex(({ record }, i) => (bytes += record.bytes.length) > limit.applyBytesMax && i > 0);
  return beyond < 0 ? records.length : beyond;
}

/** Those of the records, from the first on, that do not change too much for one step. */
async function projectStep(
  target: ProjectionTarget,
  partition: number,
  from: Projected,
  records: readonly Decoded[],
): Promise<Projected | undefined> {
  const events = records.flatMap(({ decoded }) => (decoded.type === 'event' ? [decoded.event] : []));
  const facts = await target.facts(partition, events);
  // Facts of another offset would fold into nonsense that a store which goes back could still take.
  if (facts.offset !== from.offset) return undefined;
  const place = { partition, partitionCount: target.partitionCount };
  const batch = await confirmed(facts, () => foldBatch(facts, place, from, records));
  if (!batch || !(await target.apply(partition, batch))) return undefined;
  return { offset: batch.offset, recordDigest: batch.recordDigest, stateDigest: batch.stateDigest };
}

/** What is folded from guesses counts only when they were right, and so does an error. */
async function confirmed<Folded>(facts: StoredFacts, fold: () => Folded): Promise<Folded | undefined> {
  for (;;) {
    const folded = attempt(fold);
    const found = (await facts.confirm?.()) ?? 'confirmed';
    if (found === 'outdated') return undefined;
    if (found === 'confirmed') return folded();
  }
}

function attempt<Folded>(fold: () => Folded): () => Folded {
  try {
    const folded = fold();
    return () => folded;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

function foldBatch(facts: Facts, place: Place, from: Projected, records: readonly Decoded[]): GraphBatch {
  const state = new OverlayFacts(facts);
  let last: LogRecord | undefined;
  for (const { record, decoded } of records) {
    const decision = decide(state, record, decoded, place);
    if (decision.type === 'halted') throw unknownRules(place, record, decision.rules);
    for (const change of decision.changes) state.add(change);
    last = record;
    if (state.changes.length >= limit.applyChangesMax) break;
  }
  assert(last, 'a batch has at least one record');
  const changes = coalesce(state.changes);
  return {
    previousOffset: from.offset,
    offset: last.offset,
    recordDigest: recordDigest(last),
    stateDigest: stateDigestAfter(from.stateDigest, changes),
    changes,
  };
}

/** sha256 (hex) of a record as it was appended; the checkpoint keeps the last one's. */
export function recordDigest({ bytes }: LogRecord): string {
  return hexOf(digestOf(bytes));
}

function unknownRules({ partition }: Place, { offset }: LogRecord, rules: number): VarveError {
  const message = `record ${offset} of partition ${partition} activates rule set ${rules}, which this version does not have: run a newer one`;
  return new VarveError('UNSUPPORTED', message, { partition, offset, rules });
}
