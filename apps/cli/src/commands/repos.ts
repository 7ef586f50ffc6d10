import { Command } from 'commander';
import { humanAge } from '../age.js';
import { withHelp } from '../help.js';
import { bareName } from '../ref-text.js';
import type { Run } from '../in-session.js';
import { table } from '../table.js';

/** `varve repos` */
export function reposCommand(run: Run): Command {
  const command = new Command('repos').description('Lists the repositories of the server.').action(
    run(async ({ client, output }) => {
      await output.answer(await client.repositories(), (repositories) =>
        table(
          ['REPOSITORY', 'DEFAULT BRANCH', 'COMMITS', 'MOVES', 'CREATED'],
          repositories.map(({ repo, defaultBranch, commits, moves, createdAt }) => [
            repo,
            bareName(defaultBranch),
            String(commits),
            String(moves),
            humanAge(createdAt, Date.now()),
          ]),
        ),
      );
    }),
  );
  return withHelp(command, ['varve repos', "varve repos --json | jq -r '.[].repo'"], [5]);
}
