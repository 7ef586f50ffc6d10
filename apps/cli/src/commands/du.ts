import { Command } from 'commander';
import type { Usage } from '#client/file-answer';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { bareName, isTagRef } from '../ref-text.js';
import { humanSize } from '../size.js';
import { table } from '../table.js';

/** `varve du`: of the repository that is named, or of all. */
export function duCommand(run: Run): Command {
  const command = new Command('du')
    .description(
      'Shows what refs take, in bytes of uncompressed tars: OWN of the commit alone, VIRTUAL of its whole stack, ' +
        'SHARED of layers that other refs have too, UNIQUE of layers that no other ref has.',
    )
    .action(
      run(async ({ client, output, namedRepository }) => {
        const named =
          namedRepository === null ? (await client.repositories()).map(({ repo }) => repo) : [namedRepository];
        const used: (Usage & { readonly repo: string })[] = [];
        for (const repo of named) used.push({ repo, ...(await client.files.usage(repo)) });
        await output.answer(used, (all) => all.map(text).join('\n\n'));
      }),
    );
  return withHelp(command, ['varve du', 'varve du --repo app --json | jq ".[].refs"'], [2, 3, 5]);
}

function text({ repo, refs, layers, virtualBytes, tarBytes, storedBytes }: Usage & { readonly repo: string }): string {
  const rows = refs.map((one) => [
    `${repo}:${isTagRef(one.ref) ? bareName(one.ref) : `heads/${bareName(one.ref)}`}`,
    humanSize(one.ownBytes),
    humanSize(one.virtualBytes),
    humanSize(one.sharedBytes),
    humanSize(one.uniqueBytes),
  ]);
  const sum = `${repo}: ${layers} layers of ${humanSize(tarBytes)}, stored as ${humanSize(storedBytes)}; copies would take ${humanSize(virtualBytes)}`;
  return `${table(['REF', 'OWN', 'VIRTUAL', 'SHARED', 'UNIQUE'], rows)}\n${sum}`;
}
