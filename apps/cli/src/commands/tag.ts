import { Command } from 'commander';
import { VarveError } from '#core/error';
import { withHelp } from '../help.js';
import { bareName, shortId, tagRefOf } from '../ref-text.js';
import { stateOf } from '../ref-state.js';
import type { Run } from '../in-session.js';
import type { Session } from '../session.js';

interface Options {
  readonly delete?: boolean;
  readonly move?: boolean;
  readonly message?: string;
  readonly idempotencyKey?: string;
}

/** `varve tag`, `varve tag NAME [REV]`, `varve tag --move NAME REV`, `varve tag -d NAME` */
export function tagCommand(run: Run): Command {
  const command = new Command('tag')
    .description(
      'Lists tags; with a name makes one, at HEAD or REV. A tag stays where it is, unless --move says otherwise.',
    )
    .argument('[name]')
    .argument('[rev]', 'what it names', 'HEAD')
    .option('-d, --delete', 'delete it')
    .option('--move', 'point an existing tag elsewhere (the reflog keeps where it was)')
    .option('-m, --message <reason>', 'why, for the reflog')
    .option('--idempotency-key <key>', 'makes retries one write')
    .action(
      run<Options>(async (session, options, [name, rev = 'HEAD']) => {
        const repo = await session.repository();
        if (name !== undefined) return write(session, { repo, ref: tagRefOf(name), rev, options });
        if (options.delete === true)
          throw new VarveError('REQUEST_INVALID', 'say which tag to delete: varve tag -d NAME');
        await list(session, repo);
      }),
    );
  return withHelp(command, ['varve tag v1.2 main', 'varve tag --move latest main', 'varve tag -d v0.9'], [2, 3, 4, 5]);
}

async function write(
  { client, output }: Session,
  { repo, ref, rev, options }: { repo: string; ref: string; rev: string; options: Options },
): Promise<void> {
  const { message: reason, idempotencyKey } = options;
  if (options.delete === true) {
    const gone = await client.deleteRef(repo, ref, { reason, idempotencyKey });
    return output.answer(gone, ({ from }) => `deleted tag ${bareName(ref)} (was ${shortId(from ?? '')})`);
  }
  const isForced = options.move === true;
  const made = await client.moveRef(repo, ref, {
    to: rev,
    mode: isForced ? 'force' : 'ff',
    expect: isForced ? await stateOf(client, repo, ref) : undefined,
    operation: 'tag',
    reason,
    idempotencyKey,
  });
  const verb = made.from === null || !made.changed ? 'is at' : `moved from ${shortId(made.from)} to`;
  await output.answer(made, ({ commit }) => `tag ${bareName(ref)} ${verb} ${shortId(commit ?? '')}`);
}

async function list({ client, output }: Session, repo: string): Promise<void> {
  const tags = (await client.refs(repo)).filter(({ type }) => type === 'tag');
  const widest = Math.max(0, ...tags.map(({ name }) => name.length));
  await output.answer(tags, () =>
    tags.map(({ name, commit }) => `${name.padEnd(widest)} ${shortId(commit)}`).join('\n'),
  );
}
