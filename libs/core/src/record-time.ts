import type { LogRecord } from './event.js';
import type { DecodedRecord } from './event-codec.js';

/** Records at the beginning of a partition among which an import may begin: its log's own first one, and copies of it. */
const importStartsBefore = 8;

/**
 * When a record stands in history, by the log's clock clamped to grow. A record that was imported keeps the time it had:
 * so the first of an import, the activation of rules, may turn the clock back, at the beginning of the partition alone,
 * where nothing has happened yet. @see event-log 1.4, 1.5
 */
export function recordTime(
  before: number,
  { offset, time }: Pick<LogRecord, 'offset' | 'time'>,
  decoded: DecodedRecord,
): number {
  const { imported } = decoded;
  if (!imported) return Math.max(before, time);
  const isFirst = decoded.type === 'event' && decoded.event.type === 'rules.activate.v1' && offset < importStartsBefore;
  return isFirst ? imported.time : Math.max(before, imported.time);
}
