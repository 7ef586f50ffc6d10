import type { ExportedLine } from '#audit/exported-log';
import { VarveError } from '#core/error';
import { limit } from '#core/limit';

/** The lines of an exported log as JSON has them: the bytes of a record are base64. */
export type EventlogLine =
  | Exclude<ExportedLine, { type: 'record' }>
  | (Omit<Extract<ExportedLine, { type: 'record' }>, 'bytes'> & { readonly bytes: string });

export function renderLine(line: ExportedLine): EventlogLine {
  return line.type === 'record' ? { ...line, bytes: Buffer.from(line.bytes).toString('base64') } : line;
}

/** base64 of the largest record, and what stands around it. */
const lineCharactersMax = 2 * limit.importRecordBytesMax;

/** Lines of JSON as they come, each of them a line of an exported log. @throws REQUEST_INVALID, LIMIT_EXCEEDED */
export async function* readLines(source: AsyncIterable<Uint8Array>): AsyncGenerator<ExportedLine> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of source) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > lineCharactersMax) throw new VarveError('LIMIT_EXCEEDED', 'a line is longer than any record');
    for (const line of lines) yield readLine(line);
  }
  if (rest !== '') yield readLine(rest);
}

function readLine(text: string): ExportedLine {
  try {
    return lineOf(JSON.parse(text) as EventlogLine);
  } catch (cause) {
    const message = `a line is not one of an exported event log: ${JSON.stringify(text.slice(0, 60).toWellFormed())}`;
    throw new VarveError('REQUEST_INVALID', message, {}, { cause });
  }
}

/** Takes what it knows and nothing else: lines may have more one day. */
function lineOf(line: EventlogLine): ExportedLine {
  const { type } = line;
  if (type === 'eventlog' && isLogId(line.log) && areCounts(line.v, line.partitions)) {
    return { type, v: line.v, log: line.log, partitions: line.partitions };
  }
  if (type === 'record' && isBase64(line.bytes) && areCounts(line.partition, line.offset, line.time)) {
    const { partition, offset, time } = line;
    return { type, partition, offset, time, bytes: Buffer.from(line.bytes, 'base64') };
  }
  if (type === 'summary' && areCounts(line.records)) return { type, records: line.records, digest: line.digest };
  throw new TypeError(`a line of the type ${JSON.stringify(type)} has other members`);
}

/** Of the name of a log. */
export function isLogId(value: unknown): value is string {
  return typeof value === 'string' && /^[a-z0-9]{1,64}$/.test(value);
}

export function areCounts(...values: readonly unknown[]): boolean {
  return values.every((value) => Number.isSafeInteger(value) && Number(value) >= 0);
}

/** Node reads past what is none. */
function isBase64(value: unknown): value is string {
  return typeof value === 'string' && value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value);
}
