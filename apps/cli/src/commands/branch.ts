import { Command } from 'commander';
import { VarveError } from '#core/error';
import { withHelp } from '../help.js';
import { bareName, branchRefOf, shortId } from '../ref-text.js';
import type { Run } from '../in-session.js';
import type { Session } from '../session.js';

interface Options {
  readonly delete?: boolean;
  readonly message?: string;
  readonly idempotencyKey?: string;
}

/** `varve branch`, `varve branch NAME [REV]`, `varve branch -d NAME` */
export function branchCommand(run: Run): Command {
  const command = new Command('branch')
    .description('Lists branches; with a name makes one, at HEAD or REV; with -d deletes one (its reflog stays).')
    .argument('[name]')
    .argument('[rev]', 'where it starts', 'HEAD')
    .option('-d, --delete', 'delete it')
    .option('-m, --message <reason>', 'why, for the reflog')
    .option('--idempotency-key <key>', 'makes retries one write')
    .action(
      run<Options>(async (session, options, [name, rev = 'HEAD']) => {
        const repo = await session.repository();
        const { message: reason, idempotencyKey } = options;
        if (name === undefined) {
          if (options.delete === true)
            throw new VarveError('REQUEST_INVALID', 'say which branch to delete: varve branch -d NAME');
          return list(session, repo);
        }
        const ref = branchRefOf(name);
        if (options.delete === true) {
          const gone = await session.client.deleteRef(repo, ref, { reason, idempotencyKey });
          return session.output.answer(
            gone,
            ({ from }) => `deleted branch ${bareName(ref)} (was ${shortId(from ?? '')})`,
          );
        }
        const made = await session.client.moveRef(repo, ref, {
          to: rev,
          operation: 'branch',
          expect: 'absent',
          reason,
          idempotencyKey,
        });
        await session.output.answer(made, ({ commit }) => `made branch ${bareName(ref)} at ${shortId(commit ?? '')}`);
      }),
    );
  return withHelp(command, ['varve branch', 'varve branch fix main~2', 'varve branch -d fix'], [2, 3, 4, 5]);
}

/** The default branch, which HEAD means, has a star. */
async function list({ client, output }: Session, repo: string): Promise<void> {
  const [refs, { defaultBranch }] = await Promise.all([client.refs(repo), client.repository(repo)]);
  const branches = refs
    .filter(({ type }) => type === 'branch')
    .map((ref) => ({ ...ref, isDefault: ref.ref === defaultBranch }));
  const widest = Math.max(0, ...branches.map(({ name }) => name.length));
  await output.answer(branches, () =>
    branches
      .map(({ name, commit, isDefault }) => `${isDefault ? '*' : ' '} ${name.padEnd(widest)} ${shortId(commit)}`)
      .join('\n'),
  );
}
