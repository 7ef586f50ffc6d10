import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkEmpty, exportLog, importLog } from '#audit/copy-log';
import { checkedExport, type ExportedLine } from '#audit/exported-log';
import { VarveError } from '#core/error';
import { formatPosition } from '#core/position';
import type { Engine } from '../engine.js';
import { readLines, renderLine } from '../eventlog-lines.js';

/** Logs that an import is on its way into: two would both find it empty. */
const importing = new WeakSet<Engine['log']>();

/** All records up to the ends as they are now. */
export function exportEventlog({ log }: Engine): AsyncGenerator<ExportedLine> {
  return exportLog(log);
}

/**
 * Copies an exported log into this empty one. It waits in a temporary file until all of it has come and is whole: nothing
 * is appended before. `position` is where the copy ends, for those who want to read it.
 * @throws CONFIG_INVALID when the log is not empty, OVERLOADED, REQUEST_INVALID, UNSUPPORTED, STORAGE_FULL, UNAVAILABLE
 */
export async function importEventlog(
  { log }: Engine,
  lines: AsyncIterable<ExportedLine>,
): Promise<{ readonly records: number; readonly position: string }> {
  await checkEmpty(log);
  if (importing.has(log)) throw new VarveError('OVERLOADED', 'another import into this event log is on its way');
  importing.add(log);
  const folder = await mkdtemp(join(tmpdir(), 'varve-import-'));
  try {
    const path = join(folder, 'log.jsonl');
    await spool(path, checkedExport(lines));
    const records = await importLog(log, () => readLines(createReadStream(path)), Date.now());
    const ends = await Promise.all(Array.from({ length: log.partitionCount }, (_, i) => log.end(i)));
    const positions = ends.map((end, partition) => formatPosition({ log: log.id, partition, offset: end - 1 }));
    return { records, position: positions.join(', ') };
  } finally {
    importing.delete(log);
    await rm(folder, { recursive: true, force: true });
  }
}

/** @throws STORAGE_FULL */
async function spool(path: string, lines: AsyncIterable<ExportedLine>): Promise<void> {
  await using file = await open(path, 'wx', 0o600);
  for await (const line of lines) {
    try {
      await file.write(`${JSON.stringify(renderLine(line))}\n`);
    } catch (cause) {
      const isFull = ['ENOSPC', 'EDQUOT', 'EFBIG'].includes((cause as NodeJS.ErrnoException).code ?? '');
      if (!isFull) throw cause;
      throw new VarveError('STORAGE_FULL', `${tmpdir()} has no room for the log that is imported`, {}, { cause });
    }
  }
}
