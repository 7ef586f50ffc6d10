import { VarveError } from '#core/error';
import type { LogRecord } from '#core/event';
import type { EventLog } from '#ports/event-log';
import { type Projected, recordDigest } from './project.js';

/**
 * Checks that the log is the one the graph was made from, as far as the graph goes.
 * @throws LOG_TRUNCATED when the log ends before the graph's checkpoint, or holds another record there
 */
export async function checkContinuity(log: EventLog, partition: number, graph: Projected): Promise<void> {
  if (graph.offset < 0) return;
  const end = await log.end(partition);
  if (end <= graph.offset) {
    throw truncated(log, partition, `it ends before record ${end}, and the graph has seen record ${graph.offset}`);
  }
  for await (const batch of log.read(partition, graph.offset)) {
    const found = batch[0] && recordDigest(batch[0]);
    if (found === graph.recordDigest) return;
    throw truncated(
      log,
      partition,
      `record ${graph.offset} is ${found ?? 'gone'}, and the graph saw ${graph.recordDigest}`,
    );
  }
}

/** @throws LOG_TRUNCATED when the records do not follow `offset` without a gap */
export function checkNoGap(log: EventLog, partition: number, offset: number, records: readonly LogRecord[]): void {
  records.forEach((record, i) => {
    const expected = offset + 1 + i;
    if (record.offset !== expected) throw missingRecord(log, partition, expected);
  });
}

export function missingRecord(log: EventLog, partition: number, offset: number): VarveError {
  return truncated(log, partition, `record ${offset} is missing`);
}

function truncated({ id }: EventLog, partition: number, what: string): VarveError {
  const message = `the event log ${id} is not whole in partition ${partition}: ${what}. Nothing is projected until it is restored`;
  return new VarveError('LOG_TRUNCATED', message, { log: id, partition });
}
