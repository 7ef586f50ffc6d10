import { setTimeout as sleep } from 'node:timers/promises';
import { VarveError } from '#core/error';
import type { EventLog } from '#ports/event-log';
import { firstRecord, logIdOf, newLogId } from '../first-record.js';

/** Who made the topic writes its first records at once, or is dead. */
const makerMs = 5_000;
const lookMs = 100;

/**
 * The log's name, from the first record of partition 0, where every process finds the same one. In a new topic it is
 * written there, and the activation of rule set 1 into every partition; when two processes do so at once, the record
 * that stands first counts, and the other changes nothing.
 * @throws CONFIG_INVALID when the topic holds something else, LOG_TRUNCATED when the first record is gone
 */
export async function readOrMakeIdentity(
  log: Pick<EventLog, 'append' | 'read' | 'end' | 'partitionCount'>,
  topic: string,
  isNew: boolean,
): Promise<string> {
  const partitions = Array.from({ length: log.partitionCount }, (_, partition) => partition);
  const empty = async () => {
    const ends = await Promise.all(partitions.map((partition) => log.end(partition)));
    return partitions.filter((partition) => ends[partition] === 0);
  };
  const deadline = performance.now() + (isNew ? 0 : makerMs);
  let missing = await empty();
  for (; missing.length > 0 && performance.now() < deadline; missing = await empty()) await sleep(lookMs);

  if (missing.includes(0)) await log.append(0, [firstRecord(newLogId(), Date.now())]);
  const id = await idOf(log, topic);
  const rest = missing.filter((partition) => partition !== 0);
  await Promise.all(rest.map((partition) => log.append(partition, [firstRecord(id, Date.now())])));
  return id;
}

async function idOf(log: Pick<EventLog, 'read'>, topic: string): Promise<string> {
  for await (const [first] of log.read(0, 0)) {
    const id = first && logIdOf(first.bytes);
    if (id !== undefined) return id;
    break;
  }
  const message = `the topic ${topic} holds records of something else: configure another topic, which is made when it is not there`;
  throw new VarveError('CONFIG_INVALID', message, { topic });
}
