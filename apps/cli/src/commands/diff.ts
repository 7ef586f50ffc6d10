import { Command, Option } from 'commander';
import type { Change, DiffLine } from '#client/file-answer';
import { VarveError } from '#core/error';
import { parseRevision } from '#core/revision';
import { changeText, headText, nameStatus, summaryText } from '../change-text.js';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { lineText } from '../path-text.js';
import type { Session } from '../session.js';
import { humanSize } from '../size.js';
import { table } from '../table.js';

interface Options {
  readonly stat?: boolean;
  readonly nameStatus?: boolean;
  readonly times?: boolean;
}

/** `varve diff A B [-- PATH…]`, `varve diff A..B`, `varve diff A...B` */
export function diffCommand(run: Run): Command {
  const command = new Command('diff')
    .description(
      'Tells how two commits differ: layers, configuration, and files. A added, M content changed, m only metadata, ' +
        'D deleted, T type changed. Indexes alone are read.',
    )
    .argument('<from>', 'a revision; or both as A..B, or A...B for what B has since the merge base')
    .argument('[to]', 'a revision')
    .argument('[path...]', 'only what is at or below these')
    .addOption(new Option('--stat', 'sums for each directory at the root').conflicts('nameStatus'))
    .option('--name-status', 'the class, a tab and the path, as git writes it')
    .option('--times', 'another time of modification is a change of metadata')
    .action(
      run<Options>(async (session, options, args) => {
        const { path, ...sides } = sidesOf(args.flat().filter((word) => word !== undefined));
        const repo = await session.repository();
        const lines = session.client.files.diff(repo, { ...sides, path, times: options.times });
        await session.output.page(process.env);
        await write(session, lines, options);
      }),
    );
  return withHelp(
    command,
    ['varve diff main~1 main', 'varve diff v1..v2 --stat', 'varve diff v1...main --json -- etc usr/bin'],
    [2, 3, 5, 7],
  );
}

interface Sides {
  readonly from: string;
  readonly to: string;
  readonly mergeBase: boolean;
  readonly path: readonly string[];
}

/** @throws REQUEST_INVALID when a side is missing */
function sidesOf([first = '', ...rest]: readonly string[]): Sides {
  const { type } = parseRevision(first);
  if (type === 'range' || type === 'symmetric-range') {
    const [, from, to] = /^(.*?)\.\.\.?(.*)$/s.exec(first) ?? [];
    return { from: from || 'HEAD', to: to || 'HEAD', mergeBase: type === 'symmetric-range', path: rest };
  }
  const [to, ...path] = rest;
  if (to !== undefined) return { from: first, to, mergeBase: false, path };
  throw new VarveError('REQUEST_INVALID', `"${first}" is compared with nothing: say varve diff ${first} REV`);
}

async function write(session: Session, lines: AsyncIterable<DiffLine>, options: Options): Promise<void> {
  const { output } = session;
  const sums = new DirectorySums();
  for await (const line of lines) {
    if (line.type === 'head') for (const warning of line.warnings) output.warn(warning);
    if (options.stat === true && line.type === 'change') sums.add(line);
    if (output.json ? options.stat !== true || line.type !== 'change' : isShown(line, options)) {
      await output.entry(line, (one) => text(session, one, { ...options, sums }));
    }
  }
}

function isShown({ type }: DiffLine, { stat, nameStatus: isNames }: Options): boolean {
  return isNames === true ? type === 'change' : stat !== true || type !== 'change';
}

function text({ output }: Session, line: DiffLine, options: Options & { readonly sums: DirectorySums }): string {
  switch (line.type) {
    case 'head':
      return headText(line, output.paint).join('\n');
    case 'change':
      return options.nameStatus === true ? nameStatus(line) : changeText(line, output.paint);
    default:
      return [...(options.stat === true ? options.sums.lines() : []), output.paint('bold', summaryText(line))].join(
        '\n',
      );
  }
}

/** Changes of the directories at the root, and what they add and remove. */
class DirectorySums {
  readonly #sums = new Map<string, { changes: number; added: number; removed: number }>();

  add({ path, class: is, before, after }: Change): void {
    const directory = path.split('/', 1)[0] ?? '';
    const sum = this.#sums.get(directory) ?? { changes: 0, added: 0, removed: 0 };
    const isContent = is !== 'm' && is !== 'S';
    sum.changes++;
    sum.added += isContent ? (after?.size ?? 0) : 0;
    sum.removed += isContent ? (before?.size ?? 0) : 0;
    this.#sums.set(directory, sum);
  }

  lines(): string[] {
    if (this.#sums.size === 0) return [];
    const rows = [...this.#sums].map(([directory, { changes, added, removed }]) => [
      directory === '' ? '/' : lineText(directory),
      String(changes),
      humanSize(added),
      humanSize(removed),
    ]);
    return [table(['DIRECTORY', 'CHANGES', 'ADDED', 'REMOVED'], rows)];
  }
}
