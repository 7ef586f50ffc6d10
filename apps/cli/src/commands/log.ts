import { Command, InvalidArgumentError } from 'commander';
import type { LoggedCommit } from '#client/answer';
import { withHelp } from '../help.js';
import { decoration, shortId } from '../ref-text.js';
import type { Run } from '../in-session.js';
import { humanSize } from '../size.js';
import { firstLine, terminalText } from '../terminal-text.js';

interface Options {
  readonly oneline?: boolean;
  readonly firstParent?: boolean;
  readonly maxCount?: number;
}

const pageCommits = 200;

/** `varve log [REV]`: a page at a time, so that the first lines come at once at any depth. */
export function logCommand(run: Run): Command {
  const command = new Command('log')
    .description('Shows the commits that a revision reaches, newest first, a child before its parents.')
    .argument('[rev]', 'a branch, tag, id or revision such as main~2, or a range: A..B, A...B', 'HEAD')
    .option('-n, --max-count <number>', 'at most so many', readCount)
    .option('--oneline', 'one line for each commit')
    .option('--first-parent', 'follow first parents alone')
    .action(
      run<Options>(async (session, { oneline, firstParent, maxCount }, [rev]) => {
        let left = maxCount ?? Number.POSITIVE_INFINITY;
        if (left === 0) return;
        const repo = await session.repository();
        const pageSize = Math.min(left, pageCommits);
        const show = oneline === true ? oneLine : fullText;
        let isFirst = true;
        for await (const commit of session.client.commits(repo, { rev, firstParent, pageSize })) {
          await session.output.entry(commit, () => (oneline !== true && !isFirst ? `\n${show(commit)}` : show(commit)));
          isFirst = false;
          if (--left === 0) break;
        }
      }),
    );
  return withHelp(
    command,
    ['varve log --oneline -n 20', 'varve log v1..main', 'varve log main~5 --json | jq -r .message'],
    [2, 3, 5],
  );
}

function oneLine({ id, refs, message }: LoggedCommit): string {
  return `${shortId(id)}${decoration(refs)} ${firstLine(message)}`.trimEnd();
}

function fullText(commit: LoggedCommit): string {
  const { id, parents, refs, author, time, message, ownBytes, virtualBytes, stackLayers } = commit;
  const indented = terminalText(message)
    .split('\n')
    .map((line) => `    ${line}`.trimEnd());
  return [
    `commit ${id}${decoration(refs)}`,
    ...(parents.length > 1 ? [`Merge:  ${parents.map(shortId).join(' ')}`] : []),
    ...(author === '' ? [] : [`Author: ${terminalText(author)}`]),
    ...(time === null ? [] : [`Date:   ${time}`]),
    `Size:   ${humanSize(ownBytes)} of ${humanSize(virtualBytes)} in ${stackLayers} ${stackLayers === 1 ? 'layer' : 'layers'}`,
    ...(message === '' ? [] : ['', ...indented]),
  ].join('\n');
}

function readCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 0) throw new InvalidArgumentError('It is not a number of commits.');
  return count;
}
