import type { Digest } from '#core/digest';
import { VarveError } from '#core/error';
import type { NamedBlob } from '#core/event';
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
import { KnownCopies, leftOut } from './known-copies.js';

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
 * comes out as it was; positions do not. The lines are read twice: nothing is appended before all of them are a whole
 * export. @throws CONFIG_INVALID when the log is not empty; REQUEST_INVALID when the lines are not an export; UNSUPPORTED
 * @see event-log 1.5, 1.6 rule 12
 */
export async function importLog(log: CopiedLog, open: () => AsyncIterable<ExportedLine>, now: number): Promise<number> {
  await checkEmpty(log);
  const { head, wanted } = await checkWhole(log, open());
  const known = new KnownCopies(wanted);
  const envelope = { source: `varve/${log.id}`, time: now };
  const waiting = Array.from({ length: log.partitionCount }, () => new Batch());
  let records = 0;
  for await (const line of open()) {
    if (line.type !== 'record') continue;
    const { partitions, knownBlobs } = placeOf(line, head, { to: log.partitionCount, known });
    const record = wrapped(line, { log: head.log, knownBlobs }, envelope);
    for (const partition of partitions) {
      const batch = waiting[partition] as Batch;
      if (!batch.hasRoomFor(record)) await batch.flush(log, partition);
      batch.add(record);
    }
    records += 1;
  }
  for (const [partition, batch] of waiting.entries()) await batch.flush(log, partition);
  return records;
}

/** A copy as text, at most; base64 and what stands around a record. */
const copyBytesMax = 640;
const wrappingBytesMax = 1_024;

/** The first line, and what records leave out that their neighbours have brought. @throws as `importLog`, LIMIT_EXCEEDED */
async function checkWhole(
  log: CopiedLog,
  lines: AsyncIterable<ExportedLine>,
): Promise<{ readonly head: ExportedHead; readonly wanted: ReadonlySet<Digest> }> {
  let head: ExportedHead | undefined;
  const wanted = new Set<Digest>();
  for await (const line of checkedExport(lines)) {
    if (line.type === 'eventlog') head = checkFits(log, line);
    if (line.type !== 'record' || head?.partitions === log.partitionCount) continue;
    const decoded = decodeEvent(line.bytes);
    if (decoded.type === 'malformed') continue;
    const missing = leftOut(decoded.event);
    const sizeBytes = Math.ceil(line.bytes.length / 3) * 4 + missing.size * copyBytesMax + wrappingBytesMax;
    if (missing.size > 0 && sizeBytes > limit.importRecordBytesMax) {
      const message = `record ${line.offset} of partition ${line.partition} is too large with the ${missing.size} blobs it leaves out: import into as many partitions as the log had`;
      throw new VarveError('LIMIT_EXCEEDED', message, { sizeBytes, limitBytes: limit.importRecordBytesMax });
    }
    for (const digest of missing) wanted.add(digest);
  }
  return { head: head as ExportedHead, wanted };
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
function checkFits(log: CopiedLog, head: ExportedHead): ExportedHead {
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
  { log, knownBlobs }: { readonly log: string; readonly knownBlobs: readonly NamedBlob[] },
  envelope: { readonly source: string; readonly time: number },
): Uint8Array {
  // One that was copied before keeps its first place, and does not grow.
  const before = unwrapImport(bytes) ?? { bytes, from: { log, partition, offset, time }, knownBlobs: [] };
  return encodeImport({ ...before, knownBlobs: [...before.knownBlobs, ...knownBlobs] }, envelope);
}

interface Target {
  /** How many partitions. */
  readonly to: number;
  readonly known: KnownCopies;
}

/**
 * Where a record goes, and what it must bring along there. Rules and fences are for every partition; what belongs to a
 * repository goes where that lives, and there its neighbours may be others.
 */
function placeOf(
  { partition, bytes }: ExportedRecord,
  { partitions: from }: ExportedHead,
  { to, known }: Target,
): { readonly partitions: readonly number[]; readonly knownBlobs: readonly NamedBlob[] } {
  if (from === to) return { partitions: [partition], knownBlobs: [] };
  const decoded = decodeEvent(bytes);
  if (decoded.type === 'malformed') {
    return { partitions: [decoded.repo === null ? 0 : partitionOf(decoded.repo, to)], knownBlobs: [] };
  }
  const { event } = decoded;
  const knownBlobs = known.of(leftOut(event));
  known.see(event);
  if ('repo' in event) return { partitions: [partitionOf(event.repo, to)], knownBlobs };
  return { partitions: event.type === 'checkpoint.v1' ? [0] : Array.from({ length: to }, (_, i) => i), knownBlobs };
}
