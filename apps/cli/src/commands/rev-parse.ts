import { Command } from 'commander';
import { parseRevision } from '#core/revision';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { shortId } from '../ref-text.js';

interface Options {
  readonly short?: boolean;
}

/** `varve rev-parse REV…`: plumbing, one line for each; a range is two, its excluded side after `^`. */
export function revParseCommand(run: Run): Command {
  const command = new Command('rev-parse')
    .description('Prints the full commit id that each revision means; a range prints both sides, the left one as ^ID.')
    .argument('<rev...>', 'revisions')
    .option('--short', 'twelve digits')
    .action(
      run<Options>(async (session, { short }, args) => {
        const repo = await session.repository();
        for (const { prefix, rev } of args.flat().flatMap((text) => sidesOf(text ?? ''))) {
          const resolved = await session.client.resolve(repo, rev);
          if (resolved.warning !== null) session.output.warn(resolved.warning);
          const id = short === true ? shortId(resolved.commit) : resolved.commit;
          await session.output.entry(
            { revision: rev, isExcluded: prefix === '^', ...resolved },
            () => `${prefix}${id}`,
          );
        }
      }),
    );
  return withHelp(command, ['varve rev-parse main~2', "varve rev-parse --short 'main@{yesterday}' v1..v2"], [2, 3, 5]);
}

interface Side {
  readonly prefix: '' | '^';
  readonly rev: string;
}

function sidesOf(text: string): Side[] {
  const { type } = parseRevision(text);
  if (type !== 'range' && type !== 'symmetric-range') return [{ prefix: '', rev: text }];
  const [, from, to] = /^(.*?)\.\.\.?(.*)$/s.exec(text) ?? [];
  return [
    { prefix: '', rev: to || 'HEAD' },
    { prefix: type === 'range' ? '^' : '', rev: from || 'HEAD' },
  ];
}
