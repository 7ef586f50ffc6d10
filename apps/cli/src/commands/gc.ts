import { Command } from 'commander';
import type { Collected, CopyAmount } from '#client/answer';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { humanSize } from '../size.js';
import { table } from '../table.js';

interface Options {
  readonly dryRun?: boolean;
  readonly adopt?: boolean;
}

/** `varve gc [--dry-run] [--adopt]` */
export function gcCommand(run: Run): Command {
  const command = new Command('gc')
    .description(
      'Removes the stored copies of blobs that nothing names: of uploads that were given up, of writes that were ' +
        'refused, and what came second of two equal uploads; indexes, trees, packs and tarballs that come from nothing ' +
        'there still is; and what is staged and belongs to no upload any more. What is younger than the grace period ' +
        'of the server is left alone. Reads and writes go on meanwhile, and it runs by itself once a day.',
    )
    .option('--dry-run', 'only tell what would be removed')
    .option('--adopt', 'take over a store that is also that of another event log, which was moved into this one')
    .action(
      run<Options>(async ({ client, output }, { dryRun = false, adopt = false }) => {
        await output.answer(await client.gc({ dryRun, adopt }), collectedText);
      }),
    );
  return withHelp(command, ['varve gc --dry-run', 'varve gc', "varve gc --json | jq '.removed.bytes'"], [2, 5]);
}

function collectedText(collected: Collected): string {
  return [copiesText(collected), ...derivedText(collected), ...uploadsText(collected)].join('\n');
}

function copiesText({ dryRun, stored, kept, removed, copies }: Collected): string {
  const lines = [`${verb(dryRun)} ${amountText(removed)} of ${amountText(stored)}`];
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

/** Nothing is said of what stays. */
function derivedText({ dryRun, derived }: Collected): string[] {
  const removed = derived.filter((of) => of.removed.count > 0);
  if (removed.length === 0) return [];
  const kinds = removed.map((of) => `${of.removed.count} ${of.kind} (${humanSize(of.removed.bytes)})`);
  return [`${verb(dryRun)} of what can be made again: ${kinds.join(', ')}`];
}

function uploadsText({ dryRun, uploads: { removed } }: Collected): string[] {
  if (removed.count === 0) return [];
  const what = removed.count === 1 ? 'upload' : 'uploads';
  return [`${verb(dryRun)} what ${removed.count} abandoned ${what} left staged (${humanSize(removed.bytes)})`];
}

function verb(dryRun: boolean): string {
  return dryRun ? 'would remove' : 'removed';
}

function amountText({ count, bytes }: CopyAmount): string {
  return `${count} ${count === 1 ? 'copy' : 'copies'} (${humanSize(bytes)})`;
}
