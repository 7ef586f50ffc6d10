import { Command } from 'commander';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';

/** `varve rebuild` */
export function rebuildCommand(run: Run): Command {
  const command = new Command('rebuild')
    .description('Makes the graph again from the event log, compares it with the one in use, and takes its place.')
    .action(
      run(async ({ client, output }) => {
        const rebuilt = await client.rebuild();
        if (!rebuilt.sameAsBefore) output.warn('the graph in use was not what the event log says; it is now');
        await output.answer(rebuilt, ({ records, stateDigest, sameAsBefore }) =>
          [
            `read ${records} records`,
            `state digest ${stateDigest} (${sameAsBefore ? 'the same as' : 'not the same as'} before)`,
          ].join('\n'),
        );
      }),
    );
  return withHelp(command, ['varve rebuild', 'varve rebuild --json | jq .sameAsBefore'], [5, 7]);
}
