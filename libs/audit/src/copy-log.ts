import { VarveError } from '#core/error';
import { decodeEvent, encodeImport, unwrapImport } from '#core/event-codec';
import { limit } from '#core/limit';
import { partitionOf } from '#core/partition';
import type { EventLog } from '#ports/event-log';

/** A line of an exported log: what it is, then its records in order, then how many they were. */
export type ExportedLine =
  | { readonly type: 'eventlog'; readonly v: 1; readonly log: string; readonly partitions: number }
  | {
      readonly type: 'record';
      readonly partition: number;
      readonly offset: number;
      /** Milliseconds since 1970. */
      readonly time: number;
      /** base64 */
      readonly bytes: string;
    }
  | { readonly type: 'summary'; readonly records: number };

type ExportedRecord = Extract<ExportedLine, { type: 'record' }>;

/** All records up to the ends as they are now. */
export async function* exportLog(log: EventLog): AsyncGenerator<ExportedLine> {
  yield { type: 'eventlog', v: 1, log: log.id, partitions: log.partitionCount };
  let records = 0;
  for (let partition = 0; partition < log.partitionCount; partition += 1) {
    for await (const batch of log.read(partition, 0)) {
      for (const { offset, time, bytes } of batch) {
        yield { type: 'record', partition, offset, time, bytes: Buffer.from(bytes).toString('base64') };
        records += 1;
      }
    }
  }
  yield { type: 'summary', records };
}

/**
 * Appends the records of another log to an empty one, each wrapped with where it stood: every decision, version and time
 * comes out as it was; positions do not. What breaks off leaves a part behind: begin again with a new log.
 * @throws CONFIG_INVALID when the log is not empty; REQUEST_INVALID when the lines are not an export; UNSUPPORTED
 * @see event-log 1.5, 1.6 rule 12
 */
export async function importLog(log: EventLog, lines: AsyncIterable<ExportedLine>, now: number): Promise<number> {
  await checkEmpty(log);
  const waiting = Array.from({ length: log.partitionCount }, () => new Batch());
  let from: Extract<ExportedLine, { type: 'eventlog' }> | undefined;
  let records = 0;
  for await (const line of lines) {
    if (line.type === 'eventlog') {
      from = checkHead(log, line);
      continue;
    }
    if (!from) throw notAnExport('it has no first line that says which log it is');
    if (line.type === 'summary') {
      for (const [partition, batch] of waiting.entries()) await batch.flush(log, partition);
      if (line.records === records) return records;
      throw notAnExport(`it says ${line.records} records and has ${records}`);
    }
    const record = wrapped(line, from.log, { source: `varve/${log.id}`, time: now });
    for (const partition of partitionsFor(line, from.partitions, log.partitionCount)) {
      const batch = waiting[partition] as Batch;
      if (!batch.hasRoomFor(record)) await batch.flush(log, partition);
      batch.add(record);
    }
    records += 1;
  }
  throw notAnExport('it breaks off before its last line: begin again with a new log');
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

  async flush(log: EventLog, partition: number): Promise<void> {
    const records = this.#records;
    this.#records = [];
    this.#sizeBytes = 0;
    if (records.length > 0) await log.append(partition, records);
  }
}

function wrapped(
  { partition, offset, time, bytes: text }: ExportedRecord,
  log: string,
  envelope: { readonly source: string; readonly time: number },
): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  // One that was copied before keeps its first place, and does not grow.
  const before = unwrapImport(bytes);
  return encodeImport(before?.bytes ?? bytes, before?.from ?? { log, partition, offset, time }, envelope);
}

/** Rules and fences are for every partition; what belongs to a repository goes where that lives. */
function partitionsFor({ partition, bytes }: ExportedRecord, from: number, to: number): readonly number[] {
  if (from === to) return [partition];
  const decoded = decodeEvent(Buffer.from(bytes, 'base64'));
  if (decoded.type === 'malformed') return [decoded.repo === null ? 0 : partitionOf(decoded.repo, to)];
  const { event } = decoded;
  if ('repo' in event) return [partitionOf(event.repo, to)];
  return event.type === 'checkpoint.v1' ? [0] : Array.from({ length: to }, (_, i) => i);
}

async function checkEmpty(log: EventLog): Promise<void> {
  for (let partition = 0; partition < log.partitionCount; partition += 1) {
    const end = await log.end(partition);
    if (end <= 1) continue;
    const message = `the log has ${end} records in partition ${partition}; a log is imported into an empty one: start a server on a new data folder or topic`;
    throw new VarveError('CONFIG_INVALID', message, { partition, end });
  }
}

function checkHead<Head extends { readonly v: number; readonly partitions: number }>(log: EventLog, head: Head): Head {
  if (head.v !== 1) throw notAnExport(`it is of version ${head.v}`);
  if (head.partitions === 1 || head.partitions === log.partitionCount) return head;
  const message = `a log of ${head.partitions} partitions is not imported into one of ${log.partitionCount}: take as many, or export from one partition`;
  throw new VarveError('UNSUPPORTED', message, { from: head.partitions, to: log.partitionCount });
}

function notAnExport(why: string): VarveError {
  return new VarveError('REQUEST_INVALID', `this is not an exported event log: ${why}`);
}
