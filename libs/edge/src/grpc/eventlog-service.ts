import type { ExportedLine, ExportedRecord } from '#audit/exported-log';
import { VarveError } from '#core/error';
import {
  EventlogServiceService,
  type EventlogServiceServer,
  type ExportLogResponse,
  type ImportLogRequest,
} from '#proto/gen/varve/v1/eventlog';
import { exportEventlog, importEventlog } from '../command/copy-eventlog.js';
import type { Engine } from '../engine.js';
import { areCounts, isLogId } from '../eventlog-lines.js';
import { gathered } from './batch.js';
import type { Calls } from './calls.js';
import type { Served } from './served.js';

/** The members of a record beside its bytes. */
const recordBytes = 32;

export function eventlogService(engine: Engine, calls: Calls): Served {
  const server: EventlogServiceServer = {
    exportLog: calls.stream(async function* () {
      for await (const lines of gathered(exportEventlog(engine), bytesOf)) yield* messagesOf(lines);
    }),
    importLog: calls.receive(async (messages, { signal }) => {
      const { records, position } = await importEventlog(engine, linesOf(messages, signal));
      return { records, position };
    }),
  };
  return { definition: EventlogServiceService, server };
}

function bytesOf(line: ExportedLine): number {
  return line.type === 'record' ? recordBytes + line.bytes.length : 0;
}

function* messagesOf(lines: readonly ExportedLine[]): Generator<ExportLogResponse> {
  const records = lines.filter((line) => line.type === 'record');
  for (const line of lines) if (line.type === 'eventlog') yield { line: { $case: 'head', value: line } };
  const messages = records.map(({ type: _type, bytes, ...record }) => ({ ...record, bytes: Buffer.from(bytes) }));
  if (messages.length > 0) yield { line: { $case: 'records', value: { records: messages } } };
  for (const line of lines) if (line.type === 'summary') yield { line: { $case: 'summary', value: line } };
}

/** A stream that is cut is not one that ended. @throws REQUEST_INVALID, CANCELLED */
async function* linesOf(messages: AsyncIterable<ImportLogRequest>, signal: AbortSignal): AsyncGenerator<ExportedLine> {
  for await (const { line } of messages) {
    signal.throwIfAborted();
    if (line?.$case === 'head' && isLogId(line.value.log) && areCounts(line.value.v, line.value.partitions)) {
      yield { type: 'eventlog', ...line.value };
    } else if (line?.$case === 'records') yield* line.value.records.map(recordOf);
    else if (line?.$case === 'summary') yield { type: 'summary', ...line.value };
    else throw new VarveError('REQUEST_INVALID', 'a message is not one of an exported event log');
  }
  signal.throwIfAborted();
}

function recordOf({ partition, offset, time, bytes }: Omit<ExportedRecord, 'type'>): ExportedRecord {
  if (areCounts(partition, offset, time)) return { type: 'record', partition, offset, time, bytes };
  const message = `${partition}, ${offset} and ${time} are no partition, offset and time of a record`;
  throw new VarveError('REQUEST_INVALID', message, { partition, offset, time });
}
