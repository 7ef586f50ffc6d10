import { Command } from 'commander';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';

/** `varve status`: what the server is and how far it has come. Equal positions have equal state digests, anywhere. */
export function statusCommand(run: Run): Command {
  const command = new Command('status')
    .description(
      'Shows the server, its place in the event log, and the digest of its state (equal at equal positions).',
    )
    .action(
      run(async ({ client, output }) => {
        const [about, state] = await Promise.all([client.about(), client.state()]);
        await output.answer({ version: about.version, ...state }, () =>
          [
            `server        varve ${about.version}`,
            `event log     ${state.log}`,
            ...state.partitions.flatMap(({ position, stateDigest }) => [
              `position      ${position ?? 'the start'}`,
              `state digest  ${stateDigest}`,
            ]),
            `repositories  ${state.repositories}`,
            `commits       ${state.commits}`,
            `moves         ${state.moves}`,
          ].join('\n'),
        );
      }),
    );
  return withHelp(command, ['varve status', "varve state --json | jq -r '.partitions[0].stateDigest'"], [5]);
}
