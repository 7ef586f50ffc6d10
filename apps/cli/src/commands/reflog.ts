import { Command, InvalidArgumentError } from 'commander';
import type { ReflogMove } from '#client/answer';
import { humanAge } from '../age.js';
import { withHelp } from '../help.js';
import { bareName, isTagRef, shortId } from '../ref-text.js';
import type { Run } from '../in-session.js';
import { firstLine, terminalText } from '../terminal-text.js';

interface Options {
  readonly maxCount?: number;
}

const pageMoves = 200;

/** `varve reflog [REF]`: without a ref, the moves of all of them. */
export function reflogCommand(run: Run): Command {
  const command = new Command('reflog')
    .description('Shows the moves of a ref (or of all), newest first, also of refs that are deleted now.')
    .argument('[ref]', 'a branch or tag')
    .option('-n, --max-count <number>', 'at most so many', readCount)
    .action(
      run<Options>(async (session, { maxCount }, [ref]) => {
        let left = maxCount ?? Number.POSITIVE_INFINITY;
        if (left === 0) return;
        const counts = new Map<string, number>();
        for await (const move of session.client.reflog(await session.repository(), {
          ref,
          pageSize: Math.min(left, pageMoves),
        })) {
          const count = counts.get(move.ref) ?? 0;
          counts.set(move.ref, count + 1);
          await session.output.entry(move, () => text(move, count));
          if (--left === 0) break;
        }
      }),
    );
  return withHelp(command, ['varve reflog main', 'varve reflog -n 10 --json'], [2, 3, 5]);
}

/** `5f2b… main@{0}: commit: add curl (ci@host, 3 minutes ago)`; the number is what a revision takes. */
function text({ ref, to, operation, reason, actor, time }: ReflogMove, movesAgo: number): string {
  const name = isTagRef(ref) ? `tags/${bareName(ref)}` : bareName(ref);
  const why = reason === '' ? '' : `: ${firstLine(reason)}`;
  const where = to === null ? '(deleted)   ' : shortId(to);
  return `${where} ${name}@{${movesAgo}}: ${operation}${why} (${terminalText(actor.name)}, ${humanAge(time, Date.now())})`;
}

function readCount(value: string): number {
  const count = Number(value);
  if (!Number.isSafeInteger(count) || count < 0) throw new InvalidArgumentError('It is not a number of moves.');
  return count;
}
