import { Command } from 'commander';
import type { TreeEntry } from '#client/file-answer';
import { inColumns, longText, nameText } from '../entry-text.js';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { lineText, pathText, revisionAndPath } from '../path-text.js';
import type { Session } from '../session.js';

interface Options {
  readonly long?: boolean;
  readonly recursive?: boolean;
  readonly pathBase64?: string;
}

/** Names are set side by side only when the directory has no more. */
const columnsMax = 2_000;

/** `varve ls [REV] [PATH]` or `varve ls REV:PATH` */
export function lsCommand(run: Run): Command {
  const command = new Command('ls')
    .description("Lists a directory of a commit's union tree, without writing the tree: indexes alone are read.")
    .argument('[rev]', 'a branch, tag, id or revision, with :PATH if you like', 'HEAD')
    .argument('[path]', 'a file or directory; default: the root')
    .option('-l, --long', 'type, mode, owner, size, time (UTC), and where links lead')
    .option('-R, --recursive', 'everything below, by its whole path')
    .option('--path-base64 <bytes>', 'the path as base64, for names that are no UTF-8')
    .action(
      run<Options>(async (session, options, [text = 'HEAD', more]) => {
        const { rev, path } = revisionAndPath(text, more);
        const repo = await session.repository();
        const named = options.pathBase64 === undefined ? { path } : { pathBase64: options.pathBase64 };
        const entries = session.client.files.list(repo, rev, { ...named, recursive: options.recursive ?? false });
        await session.output.page(process.env);
        await write(session, entries, options);
      }),
    );
  return withHelp(command, ['varve ls main etc -l', 'varve ls -R v1.2 --json | jq -r .path'], [2, 3, 5, 7]);
}

async function write(
  { output }: Session,
  entries: AsyncIterable<TreeEntry>,
  { long, recursive }: Options,
): Promise<void> {
  const { width, paint } = output;
  let held: { plain: string; shown: string }[] | null =
    width !== undefined && long !== true && recursive !== true ? [] : null;
  const line = (entry: TreeEntry): string => {
    const name = recursive === true ? pathText(entry) : baseName(entry);
    return long === true ? longText(entry, name, paint) : nameText(entry, name, paint);
  };
  for await (const entry of entries) {
    if (held) {
      held.push({ plain: baseName(entry), shown: line(entry) });
      if (held.length < columnsMax) continue;
      for (const { shown } of held) await output.entry(shown, (text) => text);
      held = null;
    } else await output.entry(entry, line);
  }
  if (held && held.length > 0) await output.entry(inColumns(held, width ?? 80), (text) => text);
}

function baseName({ path }: TreeEntry): string {
  return path === '' ? '/' : lineText(path.slice(path.lastIndexOf('/') + 1));
}
