import { coalesce } from '#core/coalesce';
import { digestOf, hexOf } from '#core/digest';
import { assert, VarveError } from '#core/error';
import type { LogRecord } from '#core/event';
import { type DecodedRecord, decodeEvent } from '#core/event-codec';
import { decide, type Place } from '#core/fold';
import type { Facts } from '#core/graph-row';
import { OverlayFacts } from '#core/overlay-facts';
import { stateDigestAfter } from '#core/state-digest';
import type { Checkpoint, GraphBatch, GraphStore } from '#ports/graph-store';

/** Where batches go: the live graph, or one under construction. */
export type ProjectionTarget = Pick<GraphStore, 'checkpoint' | 'facts' | 'apply' | 'partitionCount'>;

/** How far a graph is, and what it is. */
export type Projected = Pick<Checkpoint, 'offset' | 'recordDigest' | 'stateDigest'>;

/**
 * Folds records that follow `from`, in order, and applies what they mean in one step. Undefined when the graph is not
 * at `from`, because another projector was faster or the store lost its tail: its own checkpoint says where it is.
 * @throws UNSUPPORTED when the log follows rules that this code does not have; nothing is applied then
 */
export async function project(
  target: ProjectionTarget,
  partition: number,
  from: Projected,
  records: readonly LogRecord[],
): Promise<Projected | undefined> {
  const decoded = records.map(({ bytes }) => decodeEvent(bytes));
  const events = decoded.flatMap((record) => (record.type === 'event' ? [record.event] : []));
  const facts = await target.facts(partition, events);
  // Facts of another offset would fold into nonsense that a store which goes back could still take.
  if (facts.offset !== from.offset) return undefined;
  const batch = foldBatch(facts, { partition, partitionCount: target.partitionCount }, from, records, decoded);
  if (!(await target.apply(partition, batch))) return undefined;
  return { offset: batch.offset, recordDigest: batch.recordDigest, stateDigest: batch.stateDigest };
}

function foldBatch(
  facts: Facts,
  place: Place,
  from: Projected,
  records: readonly LogRecord[],
  decoded: readonly DecodedRecord[],
): GraphBatch {
  const state = new OverlayFacts(facts);
  records.forEach((record, i) => {
    const decision = decide(state, record, decoded[i] as DecodedRecord, place);
    if (decision.type === 'halted') throw unknownRules(place, record, decision.rules);
    for (const change of decision.changes) state.add(change);
  });
  const last = records.at(-1);
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
