import { Command } from 'commander';
import { VarveError } from '#core/error';
import { withHelp } from '../help.js';

/**
 * `bin/varve serve` becomes the server before this program starts; here is only its help, and a word for those who
 * started the command in another way.
 */
export function serveCommand(): Command {
  const command = new Command('serve')
    .description(
      'Runs the server in this terminal until it is interrupted. It is set up by the environment: ' +
        'VARVE_LISTEN (default 127.0.0.1:7373), VARVE_DATA (default ./data), and the three addresses ' +
        'VARVE_EVENT_LOG, VARVE_GRAPH and VARVE_BLOB_STORE. See docs/reference/config.md.',
    )
    .action(() => {
      throw new VarveError('REQUEST_INVALID', 'the server is started by "varve serve", with no option before "serve"');
    });
  return withHelp(
    command,
    ['varve serve', 'VARVE_DATA=/srv/varve VARVE_LISTEN=127.0.0.1:8080 varve serve'],
    [2, 5, 7, 70],
  );
}
