import { Command } from 'commander';
import { isVarveError } from '#core/error';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { cliVersion } from '../version.js';

/** `varve version`: asks the server too, and is content without one. */
export function versionCommand(run: Run): Command {
  const command = new Command('version')
    .description('Shows the versions of the command, its Node and the server.')
    .action(
      run(async ({ client, output }) => {
        const server = await client.about().then(
          (about) => about.version,
          (error: unknown) => {
            if (isVarveError(error, 'UNAVAILABLE')) return null;
            throw error;
          },
        );
        const versions = { varve: cliVersion(), node: process.versions.node, server };
        await output.answer(versions, () =>
          [`varve   ${versions.varve}`, `node    ${versions.node}`, `server  ${server ?? 'does not answer'}`].join(
            '\n',
          ),
        );
      }),
    );
  return withHelp(command, ['varve version', 'varve --version'], [2]);
}
