import { Command, InvalidArgumentError } from 'commander';
import type { AuditedRecord } from '#client/audit-questions';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { bareName, isTagRef, shortId } from '../ref-text.js';
import { firstLine, terminalText } from '../terminal-text.js';

interface Options {
  readonly actor?: string;
  readonly ref?: string;
  readonly commit?: string;
  readonly outcome?: string;
  readonly since?: string;
  readonly until?: string;
  readonly maxCount?: number;
}

/** `varve audit log`: of all repositories, unless one is named. */
export function auditLogCommand(run: Run): Command {
  const command = new Command('log')
    .description(
      'Shows every record of the log, oldest first: who, why, when, and what became of it; refused ones too.',
    )
    .option('--actor <name>', 'only what this one asked for')
    .option('--ref <ref>', 'only what moves this ref: heads/main, tags/v3; bare with --repo')
    .option(
      '--commit <rev>',
      'only what makes this commit or moves a ref to or from it: the whole id; with --repo any revision',
    )
    .option('--outcome <word>', 'accepted, rejected, none, or the code of a rejection')
    .option('--since <time>', 'from this time on: 2026-11-01, 2026-11-01T00:00:00Z, 3.days.ago; or a position')
    .option('--until <time>', 'up to this time or position; --at is the same')
    .option('-n, --max-count <number>', 'at most so many', readCount)
    .action(
      run<Options>(async ({ client, output, namedRepository, at }, { maxCount: limit, until = at, ...filter }) => {
        await output.page(process.env);
        for await (const line of client.audit.log({ ...filter, until, repo: namedRepository ?? undefined, limit })) {
          if (line.type === 'record') await output.entry(line, text);
        }
      }),
    );
  return withHelp(
    command.summary('show who asked for what, and what became of it'),
    [
      'varve audit log --repo app --ref tags/v3',
      'varve audit log --actor ci@host --outcome rejected --since 7.days.ago',
      'varve audit log --json > audit.jsonl',
    ],
    [2, 3, 5],
  );
}

/** `2026-11-01T10:00:00.000Z l0.0.7 accepted  ci@host tag app: tags/v3 75879cc3da48 (release)` */
function text({
  time,
  position,
  outcome,
  actor,
  operation,
  event,
  repo,
  reason,
  moves,
  message,
}: AuditedRecord): string {
  const who = actor === null ? '-' : terminalText(actor.name);
  const what = [
    operation ?? event.replace(/\.v\d+$/, ''),
    ...(repo === null ? [] : [`${repo}:`]),
    ...moves.map(moveText),
  ].join(' ');
  const why = reason ? ` (${firstLine(reason)})` : '';
  const refused = message === null ? '' : `\n    ${firstLine(message, 200)}`;
  return `${time} ${position} ${outcome.padEnd(8)} ${who} ${what}${why}${refused}`;
}

function moveText({ ref, to }: AuditedRecord['moves'][number]): string {
  const name = isTagRef(ref) ? `tags/${bareName(ref)}` : bareName(ref);
  return `${name} ${to === null ? 'deleted' : shortId(to)}`;
}

function readCount(value: string): number {
  const count = Number(value);
  if (!Number.isSafeInteger(count) || count < 1) throw new InvalidArgumentError('It is not a number of records.');
  return count;
}
