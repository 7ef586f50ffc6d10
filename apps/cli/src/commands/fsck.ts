import { Command } from 'commander';
import type { FsckSummary } from '#client/fsck-answer';
import { VarveError } from '#core/error';
import { findingText } from '../finding-text.js';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { humanSize } from '../size.js';

interface Options {
  readonly quick?: boolean;
}

/** `varve fsck [--quick]`: nothing is printed when nothing is wrong; with JSON, the summary comes last. */
export function fsckCommand(run: Run): Command {
  const command = new Command('fsck')
    .description(
      'Checks everything the server keeps, while it goes on: blobs against their digests, layer indexes and seekable ' +
        'copies against the layers, merged trees, packs and tarballs against what was written, commits against what they name, the graph against a replay of the event log, and ' +
        'that nothing is left in staging. Prints what is wrong and what to do.',
    )
    .option('--quick', 'sizes and connections only; reads no blob')
    .action(
      run<Options>(async (session, { quick = false }) => {
        const { client, output } = session;
        const progress = await session.progress('fsck', null);
        let doneBytes = 0;
        let summary: FsckSummary | undefined;
        try {
          for await (const line of client.fsck({ quick })) {
            if (line.type === 'finding') {
              await output.entry(line, findingText);
              continue;
            }
            progress.add(line.checked.bytes - doneBytes);
            doneBytes = line.checked.bytes;
            if (line.type === 'summary') summary = line;
          }
        } finally {
          progress.stop();
        }
        if (!summary) return;
        if (output.json) await output.entry(summary, () => '');
        await output.flush();
        if (summary.faults === 0) return output.note(`checked ${countsText(summary)}: nothing is wrong`);
        const { faults, notices } = summary;
        throw new VarveError('CORRUPT', `fsck found ${counted(faults, 'fault')} in ${countsText(summary)}`, {
          faults,
          notices,
        });
      }),
    );
  return withHelp(
    command,
    ['varve fsck', 'varve fsck --quick', 'varve fsck --json | jq -r \'select(.severity == "fault").rule\''],
    [5, 7],
  );
}

function countsText({ checked: { records, blobs, layers, commits, bytes } }: FsckSummary): string {
  const counts = [
    ...(records > 0 ? [counted(records, 'record')] : []),
    counted(blobs, 'blob'),
    counted(layers, 'layer'),
    counted(commits, 'commit'),
    ...(bytes > 0 ? [`${humanSize(bytes)} read`] : []),
  ];
  return counts.join(', ');
}

function counted(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
