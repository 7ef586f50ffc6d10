import { Command, InvalidArgumentError } from 'commander';
import type { WatchedEvent } from '#client/answer';
import { withHelp } from '../help.js';
import { bareName, shortId } from '../ref-text.js';
import type { Run } from '../in-session.js';
import { firstLine, terminalText } from '../terminal-text.js';

interface Options {
  readonly after?: string;
  readonly maxCount?: number;
}

/** `varve watch [--after POSITION|start] [-n NUMBER]`: until it is interrupted. */
export function watchCommand(run: Run): Command {
  const command = new Command('watch')
    .description(
      'Shows every transaction of the repository with its outcome as it happens, refused ones too. Goes on by itself ' +
        'where a connection is cut; ends when it is interrupted.',
    )
    .option('--after <position>', 'first those after this position (as --json tells it), or start for all')
    .option('-n, --max-count <number>', 'end after so many', readCount)
    .action(
      run<Options>(async (session, { after, maxCount }) => {
        let left = maxCount ?? Number.POSITIVE_INFINITY;
        if (left === 0) return;
        for await (const event of session.client.watch(await session.repository(), { after })) {
          await session.output.entry(event, () => text(event));
          // Nobody waits for a full page of what happens now and then.
          await session.output.flush();
          if (--left === 0) break;
        }
      }),
    );
  return withHelp(command, ['varve watch', 'varve watch --after start --json'], [2, 3, 5, 130]);
}

/** `2026-11-24T00:39:13.687Z commit main → 8dbd9e39: add curl (ci@host)` */
function text({ time, type, operation, reason, actor, outcome, moves, error }: WatchedEvent): string {
  const what = operation ?? type;
  const who = actor === null ? '' : ` (${terminalText(actor.name)})`;
  const why = reason === null || reason === '' ? '' : `: ${firstLine(reason)}`;
  if (outcome === 'rejected') return `${time} ${what} refused: ${error?.code}: ${firstLine(error?.detail ?? '')}${who}`;
  const where = moves.map(({ ref, commit }) => `${bareName(ref)} → ${commit === null ? 'deleted' : shortId(commit)}`);
  return `${time} ${what} ${where.join(', ')}${why}${who}`;
}

function readCount(value: string): number {
  const count = Number(value);
  if (!Number.isSafeInteger(count) || count < 0) throw new InvalidArgumentError('It is not a number of events.');
  return count;
}
