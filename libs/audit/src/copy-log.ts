import { VarveError } from '#core/error';
import { decodeEvent, encodeImport, unwrapImport } from '#core/event-codec';
import { limit } from '#core/limit';
import { partitionOf } from '#core/partition';
import type { EventLog } from '#ports/event-log';
import {
  checkedExport,
  ExportDigest,
  type ExportedHead,
  type ExportedLine,
  type ExportedRecord,
} from './exported-log.js';

/** What is copied from and to. */
type CopiedLog = Omit<EventLog, 'close' | 'follow'>;

/** All records up to the ends as they are now. */
export async function* exportLog(log: CopiedLog): AsyncGenerator<ExportedLine> {
  const head = { type: 'eventlog', v: 1, log: log.id, partitions: log.partitionCount } as const;
  yield head;
  const digest = new ExportDigest(head);
  let records = 0;
  for (let partition = 0; partition < log.partitionCount; partition += 1) {
    for await (const batch of log.read(partition, 0)) {
      for (const { offset, time, bytes } of batch) {
        const line = { type: 'record', partition, offset, time, bytes } as const;
        digest.add(line);
        records += 1;
        yield line;
      }
    }
  }
  yield { type: 'summary', records, digest: digest.hex() };
}

/**
 * Appends the records of another log to an empty one, each wrapped with where it stood: every decision, version and time
 * comes out as it was; positions do not. Lines that turn out not to be a whole export leave a part behind: check them first.
 * @throws CONFIG_INVALID when the log is not empty; REQUEST_INVALID when the lines are not an export; UNSUPPORTED
 * @see event-log 1.5, 1.6 rule 12
 */
export async function importLog(log: CopiedLog, lines: AsyncIterable<ExportedLine>, now: number): Promise<number> {
  await checkEmpty(log);
  const envelope = { source: `varve/${log.id}`, time: now };
  const waiting = Array.from({ length: log.partitionCount }, () => new Batch());
  let from: ExportedHead | undefined;
  let records = 0;
  for await (const line of checkedExport(lines)) {
    if (line.type === 'eventlog') from = checkFits(log, line);
    if (line.type !== 'record' || !from) continue;
    const record = wrapped(line, from.log, envelope);
    for (const partition of partitionsFor(line, from.partitions, log.partitionCount)) {
      const batch = waiting[partition] as Batch;
      if (!batch.hasRoomFor(record)) await batch.flush(log, partition);
      batch.add(record);
    }
    records += 1;
  }
  for (const [partition, batch] of waiting.entries()) await batch.flush(log, partition);
  return records;
}

/** Nothing but what a new log begins with. @throws CONFIG_INVALID */
export async function checkEmpty(log: CopiedLog): Promise<void> {
  for (let partition = 0; partition < log.partitionCount; partition += 1) {
    const end = await log.end(partition);
    if (end <= 1) continue;
    const message = `the log has ${end} records in partition ${partition}; a log is imported into an empty one: start a server on a new data folder or topic`;
    throw new VarveError('CONFIG_INVALID', message, { partition, end });
  }
}

/** @throws UNSUPPORTED */
export function checkFits(log: CopiedLog, head: ExportedHead): ExportedHead {
  if (head.partitions === 1 || head.partitions === log.partitionCount) return head;
  const message = `a log of ${head.partitions} partitions is not imported into one of ${log.partitionCount}: take as many, or export from one partition`;
  throw new VarveError('UNSUPPORTED', message, { from: head.partitions, to: log.partitionCount });
}

/** Records on their way into one partition. */
class Batch {
  #records: Uint8Array[] = [];
  #sizeBytes = 0;

  hasRoomFor({ length }: Uint8Array): boolean {
    return this.#sizeBytes + length <= limit.appendBatchBytesMax && this.#records.length < limit.appendBatchRecordsMax;
  }

  add(record: Uint8Array): void {
    this.#records.push(record);
    this.#sizeBytes += record.length;
  }

  async flush(log: CopiedLog, partition: number): Promise<void> {
    const records = this.#records;
    this.#records = [];
    this.#sizeBytes = 0;
    if (records.length > 0) await log.append(partition, records);
  }
}

function wrapped(
  { partition, offset, time, bytes }: ExportedRecord,
  log: string,
  envelope: { readonly source: string; readonly time: number },
): Uint8Array {
  // One that was copied before keeps its first place, and does not grow.
  const before = unwrapImport(bytes);
  return encodeImport(before?.bytes ?? bytes, before?.from ?? { log, partition, offset, time }, envelope);
}

/** Rules and fences are for every partition; what belongs to a repository goes where that lives. */
function partitionsFor({ partition, bytes }: ExportedRecord, from: number, to: number): readonly number[] {
  if (from === to) return [partition];
  const decoded = decodeEvent(bytes);
  if (decoded.type === 'malformed') return [decoded.repo === null ? 0 : partitionOf(decoded.repo, to)];
  const { event } = decoded;
  if ('repo' in event) return [partitionOf(event.repo, to)];
  return event.type === 'checkpoint.v1' ? [0] : Array.from({ length: to }, (_, i) => i);
}
