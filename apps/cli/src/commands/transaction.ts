import { Argument, Command, InvalidArgumentError } from 'commander';
import type { Transaction } from '#client/answer';
import { withHelp } from '../help.js';
import { lineText } from '../path-text.js';
import { bareName, isTagRef } from '../ref-text.js';
import type { Run } from '../in-session.js';

interface Options {
  readonly gcEpoch?: number;
}

/** `varve transaction show|cancel TXID [--gc-epoch N]` */
export function transactionCommand(run: Run): Command {
  const command = new Command('transaction')
    .description(
      'What became of a write that ended with OUTCOME_UNKNOWN, which names its transaction. show: its outcome, if it ' +
        'has one; cancel: end it. Afterwards it has an outcome, the one that it had or TRANSACTION_CANCELLED, and ' +
        'nothing of it that is still on its way takes effect. Both may be asked again and again.',
    )
    .addArgument(new Argument('<what>', 'what to do').choices(['show', 'cancel']))
    .argument('<txid>', 'of the transaction')
    .option(
      '--gc-epoch <n>',
      'as OUTCOME_UNKNOWN told it: tells an outcome that is still to come from one that never comes, or is forgotten',
      readEpoch,
    )
    .action(
      run<Options>(async (session, { gcEpoch }, [what, txid = '']) => {
        const { client, output, namedRepository } = session;
        const found =
          what === 'show'
            ? await client.transaction(txid, { repo: namedRepository ?? undefined, gcEpoch })
            : await client.cancelTransaction(txid, { repo: await session.repository(), gcEpoch });
        await output.answer(found, transactionText);
      }),
    );
  return withHelp(
    command,
    [
      'varve transaction show 5326fc3b8f4b65cecbfd8ecae609914f --repo app --gc-epoch 3',
      'varve transaction cancel 5326fc3b8f4b65cecbfd8ecae609914f --repo app --gc-epoch 3',
    ],
    [2, 3, 5],
  );
}

function transactionText({ txid, repo, position, time, outcome, commits, moves, error }: Transaction): string {
  const rows: (readonly [string, string])[] = [
    ['transaction', txid],
    ...(repo === null ? [] : [['repository', repo] as const]),
    ['outcome', error === null ? outcome : `refused: ${error.code}: ${lineText(error.detail)}`],
    ['position', position],
    ['time', time],
    ...commits.map((id) => ['commit', id] as const),
    ...moves.map((move) => ['move', moveText(move)] as const),
  ];
  return rows.map(([name, value]) => `${name.padEnd(13)}${value}`).join('\n');
}

function moveText({ ref, commit }: Transaction['moves'][number]): string {
  const name = isTagRef(ref) ? `tags/${bareName(ref)}` : bareName(ref);
  return commit === null ? `${name} deleted` : `${name} → ${commit}`;
}

function readEpoch(value: string): number {
  const epoch = Number(value);
  if (/^\d+$/.test(value) && Number.isSafeInteger(epoch)) return epoch;
  throw new InvalidArgumentError('It is not the number of an epoch.');
}
