import { VarveError } from '#core/error';
import type { LogRecord } from '#core/event';
import type { FetchedPartition } from './fetch-codec.js';
import { fetchError } from './kafka-error.js';
import { decodeRecordBatches } from './record-batch.js';
import type { TopicBrokers } from './topic-brokers.js';

/**
 * The records of one partition of a fetch answer from `from` on, without a gap.
 * @throws LOG_TRUNCATED when the partition does not hold what follows, CORRUPT, UNAVAILABLE for what passes
 */
export async function recordsFrom(
  brokers: TopicBrokers,
  leader: number,
  from: number,
  fetched: FetchedPartition,
): Promise<LogRecord[]> {
  const { partition, errorCode } = fetched;
  if (errorCode === fetchError.offsetOutOfRange) throw await outOfRange(brokers, leader, partition, from);
  if (errorCode === fetchError.corruptMessage) {
    throw new VarveError(
      'CORRUPT',
      `Kafka cannot read ${brokers.topic}, partition ${partition}, from offset ${from} on`,
    );
  }
  if (errorCode !== fetchError.none) {
    const message = `partition ${partition} of ${brokers.topic} cannot be read at the moment: Kafka error ${errorCode}`;
    throw new VarveError('UNAVAILABLE', message, { partition, errorCode });
  }
  const records = decodeRecordBatches(fetched.batches).filter(({ offset }) => offset >= from);
  const gap = records.findIndex(({ offset }, i) => offset !== from + i);
  if (gap === -1) return records;
  throw truncated(brokers, partition, `record ${from + gap} is missing, record ${records[gap]?.offset} follows`);
}

/**
 * Kafka's consumer would go on from elsewhere; we say what is missing. A broker that does not lead any more may be behind
 * or ahead, so the one that leads now is asked. @see event-log 1.4
 */
async function outOfRange(brokers: TopicBrokers, leader: number, partition: number, from: number): Promise<VarveError> {
  await brokers.refresh();
  const now = brokers.leaderOf(partition);
  const [start, end] = await Promise.all(
    (['earliest', 'latest'] as const).map(async (which) => {
      const offsets = await brokers.offsets(now, [partition], which);
      return offsets.get(partition) as number;
    }),
  );
  if (from >= (start as number) && from <= (end as number)) {
    const message = `broker ${leader} does not have offset ${from} of partition ${partition}, broker ${now} does`;
    return new VarveError('UNAVAILABLE', message, { partition });
  }
  return truncated(
    brokers,
    partition,
    `it holds records ${start} to ${(end as number) - 1}, and record ${from} is asked for`,
  );
}

function truncated({ topic }: TopicBrokers, partition: number, what: string): VarveError {
  const message = `the topic ${topic} is not whole in partition ${partition}: ${what}`;
  return new VarveError('LOG_TRUNCATED', message, { topic, partition });
}
