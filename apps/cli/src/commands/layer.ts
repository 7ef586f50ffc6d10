import { Argument, Command } from 'commander';
import type { LayerEntry, ShownLayer } from '#client/file-answer';
import { VarveError } from '#core/error';
import { longText } from '../entry-text.js';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { lineText, pathText } from '../path-text.js';
import type { Session } from '../session.js';
import { humanSize } from '../size.js';

interface Options {
  readonly output?: string;
}

interface Asked {
  readonly repo: string;
  readonly layer: string;
  readonly path: string | undefined;
  readonly output: string | undefined;
}

/** `varve layer show|ls|cat|tar DIFFID [PATH]` */
export function layerCommand(run: Run): Command {
  const command = new Command('layer')
    .description(
      'Looks at one layer alone. show: how it is stored and what its index says; ls: its entries in the order of its ' +
        'tar, whiteouts too; cat: the content it has at a path; tar: its exact tar.',
    )
    .addArgument(new Argument('<what>', 'what of it').choices(['show', 'ls', 'cat', 'tar']))
    .argument('<diffid>', 'its diffID, or the first digits')
    .argument('[path]', 'for cat')
    .option('-o, --output <file>', 'for tar and cat: the file to write; default: standard output')
    .action(
      run<Options>(async (session, { output }, [what, layer = '', path]) => {
        const asked = { repo: await session.repository(), layer, path, output };
        if (path !== undefined && what !== 'cat') {
          throw new VarveError('REQUEST_INVALID', `varve layer ${what} takes no path; "${path}" is one too many`);
        }
        if (what === 'show') await show(session, asked);
        else if (what === 'ls') await list(session, asked);
        else await bytes(session, asked, what === 'cat');
      }),
    );
  return withHelp(
    command,
    ['varve layer ls sha256:5f70bf18', 'varve layer tar 5f70bf18 -o layer.tar', 'varve layer cat 5f70bf18 etc/motd'],
    [2, 3, 5, 7, 130],
  );
}

async function show({ client, output }: Session, { repo, layer }: Asked): Promise<void> {
  await output.answer(await client.files.layer(repo, layer), layerText);
}

async function list({ client, output }: Session, { repo, layer }: Asked): Promise<void> {
  await output.page(process.env);
  for await (const line of client.files.layerEntries(repo, layer)) {
    if (line.type === 'entry') await output.entry(line.entry, (entry) => entryText(entry, output.paint));
  }
}

async function bytes({ client, output }: Session, asked: Asked, isFile: boolean): Promise<void> {
  const { repo, layer, path } = asked;
  if (isFile && path === undefined) {
    throw new VarveError('REQUEST_INVALID', 'varve layer cat needs a path: varve layer cat DIFFID PATH');
  }
  if (!isFile && asked.output === undefined && output.isTerminal) {
    throw new VarveError('REQUEST_INVALID', 'a tar is nothing for a terminal: say -o FILE, or pipe it');
  }
  const content = isFile
    ? await client.files.layerContent(repo, layer, { path })
    : await client.files.layerTar(repo, layer);
  if (asked.output === undefined || asked.output === '-') {
    for await (const chunk of content.chunks()) await output.bytes(chunk);
    return;
  }
  const { writeWholeFile } = await import('../rootfs-file.js');
  await writeWholeFile(asked.output, [{ from: 0, chunks: () => content.chunks() }], () => undefined);
  const { lengthBytes, etag } = content;
  await output.answer(
    { output: asked.output, bytes: lengthBytes, etag },
    () => `wrote ${asked.output} (${humanSize(lengthBytes)})`,
  );
}

function entryText(entry: LayerEntry, paint: Session['output']['paint']): string {
  const mark = entry.role === 'node' ? '' : ` (${entry.role})`;
  return `${longText(entry, pathText(entry), paint)}${mark}`;
}

function layerText(layer: ShownLayer): string {
  const { diffId, tarBytes, entries, whiteouts, opaques, encodings, lints, firstCommit } = layer;
  return [
    `layer ${diffId}`,
    `Size:     ${humanSize(tarBytes)} in ${entries} entries, ${whiteouts} whiteouts, ${opaques} opaque directories`,
    ...encodings.map(
      ({ digest, size, mediaType }) => `Stored:   ${digest} (${humanSize(size)}, ${lineText(mediaType)})`,
    ),
    ...(firstCommit === null ? [] : [`Commit:   ${firstCommit}`]),
    ...lints.kept.map(({ rule, path, note }) => `Lint:     ${rule} ${lineText(path)}: ${lineText(note)}`),
    ...(lints.total > lints.kept.length ? [`Lints:    ${lints.total} in all`] : []),
  ].join('\n');
}
