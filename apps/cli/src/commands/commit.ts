import { Command } from 'commander';
import { VarveError } from '#core/error';
import { parseInstant } from '#core/instant';
import { withHelp } from '../help.js';
import { namedInput } from '../named-input.js';
import { branchName, bareName, shortId } from '../ref-text.js';
import type { Run } from '../in-session.js';
import type { Session } from '../session.js';
import { humanSize } from '../size.js';
import { uploadOf } from '../upload.js';
import { writingTime } from '../writing-time.js';

interface Options {
  readonly empty?: boolean;
  readonly message: string;
  readonly author?: string;
  readonly label: readonly string[];
  readonly branch?: string;
  readonly time?: string;
  readonly expect?: string;
  readonly idempotencyKey?: string;
}

/** `varve commit LAYER.tar|- -m MESSAGE`, `varve commit --empty -m MESSAGE` */
export function commitCommand(run: Run): Command {
  const command = new Command('commit')
    .description(
      'Puts a layer (a tar, plain, gzip or zstd, with whiteouts as in OCI) and a message on a branch. The branch moves ' +
        'only if nobody moved it in between.',
    )
    .argument('[layer]', 'a file; - is standard input')
    .option('--empty', 'no layer: the commit has metadata alone')
    .requiredOption('-m, --message <text>', 'what it is about')
    .option('-a, --author <name>', 'who made it')
    .option('--label <key=value>', 'may be given again', (one: string, all: readonly string[]) => [...all, one], [])
    .option('-b, --branch <name>', 'the branch (default: the default branch)')
    .option('--time <time>', 'when, RFC 3339 in UTC (default: SOURCE_DATE_EPOCH, else now)')
    .option('--expect <commit.version>', 'only if the branch is still there (as refs --json says)')
    .option('--idempotency-key <key>', 'makes retries one write')
    .action(
      run<Options>(async (session, options, [path]) => {
        const { message, author, label: labels, expect, idempotencyKey } = options;
        if ((path === undefined) !== (options.empty === true)) {
          throw new VarveError(
            'REQUEST_INVALID',
            'give a layer (a file, or - for standard input), or --empty, and not both',
          );
        }
        const layer = path === undefined ? null : await uploadOf(path, 'application/octet-stream');
        const repo = await session.repository();
        const branch = options.branch === undefined ? await defaultBranch(session, repo) : branchName(options.branch);
        const progress = layer ? await session.progress(`commit ${path}`, layer.sizeBytes) : undefined;
        if (layer) layer.progress = progress;
        try {
          const time = options.time === undefined ? writingTime() : givenTime(options.time);
          const wish = { layer, message, author, time, labels, expect, idempotencyKey };
          const made = await namedInput(path ?? '', () => session.client.commitLayer(repo, branch, wish));
          progress?.stop();
          await session.output.answer(made, ({ commit, layer: stored }) => {
            const what = stored
              ? `${humanSize(stored.tarBytes)}, ${shortId(stored.diffId.slice('sha256:'.length))}`
              : 'no layer';
            return `[${branch} ${shortId(commit)}] ${message.split('\n', 1)[0]} (${what})`;
          });
        } finally {
          progress?.stop();
        }
      }),
    );
  return withHelp(
    command,
    ['varve commit layer.tar -m "add curl"', 'tar -c etc | varve commit - -m "configure" --branch fix --label ci=42'],
    [1, 2, 3, 4, 5, 130],
  );
}

async function defaultBranch({ client }: Session, repo: string): Promise<string> {
  return bareName((await client.repository(repo)).defaultBranch);
}

function givenTime(text: string): string {
  const time = parseInstant(text);
  if (time) return time;
  throw new VarveError(
    'REQUEST_INVALID',
    `--time "${text}" is no time: expected RFC 3339, such as 2015-06-16T00:00:00Z`,
  );
}
