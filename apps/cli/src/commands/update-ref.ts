import { Command } from 'commander';
import type { RefUpdate } from '#client/client';
import { VarveError } from '#core/error';
import { parseRefName } from '#core/name';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { moveText } from '../move-text.js';

interface Options {
  readonly stdin?: boolean;
  readonly delete?: boolean;
  readonly force?: boolean;
  readonly message?: string;
  readonly idempotencyKey?: string;
}

/** `varve update-ref REF REV [OLD]`, `update-ref -d REF [OLD]`, `update-ref --stdin` */
export function updateRefCommand(run: Run): Command {
  const command = new Command('update-ref')
    .description(
      'Makes, moves and deletes refs, several together with --stdin: all of them or none. OLD is what a ref must be ' +
        'now, COMMIT.VERSION as refs --json says, absent, or present. Lines of --stdin: "update REF REV [OLD]", ' +
        '"force REF REV OLD", "create REF REV", "delete REF [OLD]".',
    )
    .argument('[ref]', 'heads/NAME or tags/NAME')
    .argument('[rev]')
    .argument('[old]')
    .option('--stdin', 'read the moves from standard input')
    .option('-d, --delete', 'delete it')
    .option('-f, --force', 'also where commits are lost; wants OLD')
    .option('-m, --message <reason>', 'why, for the reflog')
    .option('--idempotency-key <key>', 'makes retries one write')
    .action(
      run<Options>(async (session, options, args) => {
        const repo = await session.repository();
        const updates = options.stdin === true ? await movesFrom(process.stdin) : [moveOf(options, args)];
        const { message: reason, idempotencyKey } = options;
        const moved = await session.client.moveRefs(repo, updates, { reason, idempotencyKey });
        const { position, replayed } = moved;
        await session.output.answer(moved, ({ refs }) =>
          refs.map((ref) => moveText({ ...ref, position, replayed })).join('\n'),
        );
      }),
    );
  const examples = [
    'varve update-ref heads/main fix',
    'varve update-ref -d heads/fix',
    'varve update-ref --stdin < moves',
  ];
  return withHelp(command, examples, [2, 3, 4, 5]);
}

function moveOf({ delete: isDeletion, force }: Options, args: readonly (string | undefined)[]): RefUpdate {
  const words = args.filter((word) => word !== undefined);
  const verb = isDeletion === true ? 'delete' : force === true ? 'force' : 'update';
  return readMove([verb, ...words], 'the command');
}

async function movesFrom(input: AsyncIterable<Uint8Array>): Promise<readonly RefUpdate[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of input) chunks.push(chunk);
  const lines = Buffer.concat(chunks).toString().split('\n');
  const moves = lines.flatMap((line, i) =>
    line.trim() === '' ? [] : [readMove(line.trim().split(/ +/), `line ${i + 1}`)],
  );
  if (moves.length > 0) return moves;
  throw new VarveError('REQUEST_INVALID', 'standard input has no moves: expected lines such as "update REF REV"');
}

/** @throws REQUEST_INVALID, NAME_INVALID */
function readMove([verb, name, ...rest]: readonly string[], where: string): RefUpdate {
  const [first, second, ...more] = rest;
  if (name !== undefined && more.length === 0) {
    const ref = parseRefName(name);
    if (verb === 'update' && first !== undefined) return { ref, to: first, expect: second };
    if (verb === 'force' && second !== undefined) return { ref, to: first!, mode: 'force', expect: second };
    if (verb === 'create' && first !== undefined && second === undefined) return { ref, to: first, expect: 'absent' };
    if (verb === 'delete' && second === undefined) return { ref, to: null, expect: first };
  }
  throw new VarveError(
    'REQUEST_INVALID',
    `${where} is no move: expected "update REF REV [OLD]", "force REF REV OLD", "create REF REV" or "delete REF [OLD]"`,
    { usage: true },
  );
}
