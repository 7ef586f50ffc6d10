import { createHash } from 'node:crypto';
import { VarveError } from '#core/error';

/** A line of an exported log: what it is, then the records of each partition in order, then how many they were. */
export type ExportedLine = ExportedHead | ExportedRecord | ExportedSummary;

export interface ExportedHead {
  readonly type: 'eventlog';
  readonly v: number;
  readonly log: string;
  readonly partitions: number;
}

export interface ExportedRecord {
  readonly type: 'record';
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly bytes: Uint8Array;
}

export interface ExportedSummary {
  readonly type: 'summary';
  readonly records: number;
  /** sha256 of the head and the records, hex. */
  readonly digest: string;
}

/** The digest of an export while its lines pass. */
export class ExportDigest {
  readonly #hash = createHash('sha256');

  constructor({ v, log, partitions }: ExportedHead) {
    this.#hash.update(`${v} ${log} ${partitions}\n`);
  }

  add({ partition, offset, time, bytes }: ExportedRecord): void {
    this.#hash.update(`${partition} ${offset} ${time} ${bytes.length}\n`).update(bytes);
  }

  hex(): string {
    return this.#hash.digest('hex');
  }
}

/**
 * The same lines, as long as they are those of one export in its order: no record of a partition is missing, stands twice
 * or was changed. Only the end tells all of it, so nothing that was passed on is to be relied on before.
 * @throws REQUEST_INVALID
 */
export async function* checkedExport(lines: AsyncIterable<ExportedLine>): AsyncGenerator<ExportedLine> {
  let head: ExportedHead | undefined;
  let digest: ExportDigest | undefined;
  let records = 0;
  const ends: number[] = [];
  let isOver = false;
  for await (const line of lines) {
    if (isOver) throw notAnExport('something stands behind its last line');
    if (line.type === 'eventlog') {
      if (head) throw notAnExport('it begins twice');
      if (line.v !== 1) throw notAnExport(`it is of version ${line.v}`);
      head = line;
      digest = new ExportDigest(line);
    } else if (!head || !digest) throw notAnExport('it has no first line that says which log it is');
    else if (line.type === 'record') {
      checkNext(head, line, ends);
      digest.add(line);
      records += 1;
    } else {
      if (line.records !== records) throw notAnExport(`it says ${line.records} records and has ${records}`);
      const actual = digest.hex();
      if (line.digest !== actual) throw notAnExport(`its digest is ${line.digest}, and its records give ${actual}`);
      isOver = true;
    }
    yield line;
  }
  if (!isOver) throw notAnExport('it breaks off before its last line');
}

function checkNext({ partitions }: ExportedHead, { partition, offset }: ExportedRecord, ends: number[]): void {
  if (partition >= partitions)
    throw notAnExport(`it has ${partitions} partitions, and a record of partition ${partition}`);
  const next = ends[partition] ?? 0;
  if (offset !== next) throw notAnExport(`record ${offset} of partition ${partition} stands where ${next} should`);
  ends[partition] = next + 1;
}

function notAnExport(why: string): VarveError {
  return new VarveError('REQUEST_INVALID', `this is not a whole exported event log: ${why}. Export it again`);
}
