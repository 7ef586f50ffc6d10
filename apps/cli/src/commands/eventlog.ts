import { Argument, Command } from 'commander';
import { VarveError } from '#core/error';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { uploadOf } from '../upload.js';

/** `varve eventlog export > FILE`, `varve eventlog import FILE` */
export function eventlogCommand(run: Run): Command {
  const command = new Command('eventlog')
    .description(
      'export: the whole event log as lines of JSON. import: copies one into the log of an empty server; decisions, ' +
        'versions of refs and times stay, positions change. Stop the writers first, and copy the blobs apart.',
    )
    .addArgument(new Argument('<what>').choices(['export', 'import']))
    .argument('[file]', 'for import: the file, or - for standard input')
    .action(
      run(async ({ client, output }, _options, [what, file]) => {
        if (what === 'export') {
          if (file !== undefined)
            throw new VarveError('REQUEST_INVALID', 'varve eventlog export writes to standard output');
          for await (const line of client.audit.exportLog())
            await output.bytes(Buffer.from(`${JSON.stringify(line)}\n`));
          return;
        }
        if (file === undefined) throw new VarveError('REQUEST_INVALID', 'say which file: varve eventlog import FILE');
        const done = await client.audit.importLog(await uploadOf(file, 'application/x-ndjson'));
        await output.answer(done, ({ records }) => `copied ${records} records`);
      }),
    );
  return withHelp(
    command,
    ['varve eventlog export > log.jsonl', 'varve eventlog import log.jsonl --server http://127.0.0.1:7380'],
    [2, 5],
  );
}
