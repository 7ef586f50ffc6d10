import { Command } from 'commander';
import { VarveError } from '#core/error';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { revisionAndPath } from '../path-text.js';

interface Options {
  readonly pathBase64?: string;
}

/** `varve cat REV:PATH` */
export function catCommand(run: Run): Command {
  const command = new Command('cat')
    .description(
      'Writes the content of a file of a commit to standard output, byte for byte; of a symlink its target, which is ' +
        'not followed. What does not hash to what the index says ends with 7.',
    )
    .argument('<rev:path>', 'a revision and a path, as REV:PATH or as two words')
    .argument('[path]')
    .option('--path-base64 <bytes>', 'the path as base64, for names that are no UTF-8')
    .action(
      run<Options>(async (session, { pathBase64 }, [text = '', more]) => {
        const { rev, path } = revisionAndPath(text, more);
        if (path === undefined && pathBase64 === undefined) {
          throw new VarveError(
            'REQUEST_INVALID',
            `"${text}" has no path: write REV:PATH, for instance main:etc/passwd`,
          );
        }
        const repo = await session.repository();
        const named = pathBase64 === undefined ? { path } : { pathBase64 };
        const content = await session.client.files.content(repo, rev, named);
        for await (const chunk of content.chunks()) await session.output.bytes(chunk);
      }),
    );
  return withHelp(command, ['varve cat main:etc/os-release', 'varve cat v1.2~1:bin/tool > tool'], [2, 3, 5, 7, 130]);
}
