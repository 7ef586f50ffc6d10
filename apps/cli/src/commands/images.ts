import { Command } from 'commander';
import type { TreeNode } from '#client/answer';
import { humanAge } from '../age.js';
import { withHelp } from '../help.js';
import { drawImageTree } from '../image-tree.js';
import { bareName, isTagRef, shortId } from '../ref-text.js';
import type { Run } from '../in-session.js';
import { humanSize } from '../size.js';
import { table } from '../table.js';

interface Options {
  readonly tree?: boolean;
}

/** `varve images [--tree]`: every repository, or the one that is named. */
export function imagesCommand(run: Run): Command {
  const command = new Command('images')
    .description(
      'Lists what tags and branches point at, as docker images does. With --tree draws every commit below its first ' +
        'parent: own size is its own layers, virtual size its whole stack (uncompressed tar bytes).',
    )
    .option('--tree', 'draw the DAG, as docker images --tree did')
    .action(
      run<Options>(async ({ client, output, namedRepository }, { tree }) => {
        const nodes = await client.imageTree(namedRepository);
        if (tree !== true) {
          await output.answer(imagesOf(nodes), imageTable);
        } else if (output.json) {
          await output.answer(nodes, () => '');
        } else {
          for (const line of drawImageTree(nodes)) await output.entry(line, (text) => text);
        }
      }),
    );
  return withHelp(command, ['varve images', 'varve images --tree --repo app'], [3, 5]);
}

interface Image {
  readonly repo: string;
  readonly ref: string;
  readonly commit: string;
  readonly time: string | null;
  readonly ownBytes: number;
  readonly virtualBytes: number;
}

/** Tags before branches, by repository and name. */
function imagesOf(nodes: readonly TreeNode[]): Image[] {
  const images = nodes.flatMap(({ id, time, ownBytes, virtualBytes, places }) =>
    places.flatMap(({ repo, refs }) => refs.map((ref) => ({ repo, ref, commit: id, time, ownBytes, virtualBytes }))),
  );
  return images.toSorted((a, b) => compare(a.repo, b.repo) || compare(b.ref, a.ref));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function imageTable(images: readonly Image[]): string {
  return table(
    ['REPOSITORY', 'TAG', 'COMMIT', 'CREATED', 'SIZE'],
    images.map(({ repo, ref, commit, time, virtualBytes }) => [
      repo,
      isTagRef(ref) ? bareName(ref) : `heads/${bareName(ref)}`,
      shortId(commit),
      humanAge(time, Date.now()),
      humanSize(virtualBytes),
    ]),
  );
}
