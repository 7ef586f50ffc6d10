import { Command } from 'commander';
import type { Collected, CopyAmount } from '#client/answer';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { humanSize } from '../size.js';
import { table } from '../table.js';

interface Options {
  readonly dryRun?: boolean;
}

/** `varve gc [--dry-run]` */
export function gcCommand(run: Run): Command {
  const command = new Command('gc')
    .description(
      'Removes the stored copies of blobs that nothing names: of uploads that were given up, of writes that were ' +
        'refused, and what came second of two equal uploads. Copies younger than the grace period of the server are ' +
        'left alone. Reads and writes go on meanwhile, and it runs by itself once a day.',
    )
    .option('--dry-run', 'only tell what would be removed')
    .action(
      run<Options>(async ({ client, output }, { dryRun = false }) => {
        await output.answer(await client.gc({ dryRun }), collectedText);
      }),
    );
  return withHelp(command, ['varve gc --dry-run', 'varve gc', "varve gc --json | jq '.removed.bytes'"], [5]);
}

function collectedText({ dryRun, stored, kept, removed, copies }: Collected): string {
  const lines = [`${dryRun ? 'would remove' : 'removed'} ${amountText(removed)} of ${amountText(stored)}`];
  if (kept.count > 0) lines.push(`kept ${amountText(kept)} that were named meanwhile`);
  if (!dryRun || copies.length === 0) return lines.join('\n');
  const rows = copies.map(({ digest, incarnation, size, storedAt }) => [
    digest.slice('sha256:'.length, 'sha256:'.length + 12),
    incarnation,
    humanSize(size),
    storedAt,
  ]);
  const more = removed.count - copies.length;
  return [...lines, table(['BLOB', 'COPY', 'SIZE', 'STORED'], rows), ...(more > 0 ? [`and ${more} more`] : [])].join(
    '\n',
  );
}

function amountText({ count, bytes }: CopyAmount): string {
  return `${count} ${count === 1 ? 'copy' : 'copies'} (${humanSize(bytes)})`;
}
