import { Command } from 'commander';
import { VarveError } from '#core/error';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';

interface Options {
  readonly branch?: string;
  readonly idempotencyKey?: string;
}

/** `varve init NAME`: a repository with the genesis commit (no layers) on its default branch. */
export function initCommand(run: Run): Command {
  const command = new Command('init')
    .description('Makes a repository whose default branch stands at the genesis commit: no layers, an empty tree.')
    .argument('[name]', 'its name (or --repo, or VARVE_REPO)')
    .option('--branch <name>', 'its default branch', 'main')
    .option('--idempotency-key <key>', 'makes retries one write')
    .action(
      run<Options>(async ({ client, output, namedRepository }, { branch, idempotencyKey }, [name]) => {
        const repo = name ?? namedRepository;
        if (repo === null) throw new VarveError('REQUEST_INVALID', 'say which repository to make: varve init NAME');
        const made = await client.createRepository(repo, { defaultBranch: branch, idempotencyKey });
        await output.answer(made, () => `made repository ${made.repo} with branch ${branch}`);
      }),
    );
  return withHelp(command, ['varve init app', 'varve init team/app --branch trunk --json'], [2, 4, 5]);
}
