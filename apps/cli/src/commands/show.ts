import { Command, Option } from 'commander';
import type { ShownCommit } from '#client/answer';
import type { Change, CommitLints, DiffSummary, Lints } from '#client/file-answer';
import { isVarveError } from '#core/error';
import { changeText, nameStatus, summaryText } from '../change-text.js';
import { withHelp } from '../help.js';
import { decoration } from '../ref-text.js';
import type { Run } from '../in-session.js';
import { lineText } from '../path-text.js';
import type { Session } from '../session.js';
import { humanSize } from '../size.js';
import { terminalText } from '../terminal-text.js';

interface Options {
  readonly nameStatus?: boolean;
  readonly stat?: boolean;
}

/** Changes that are shown of a commit unless all of them are asked for; a base image has thousands. */
const changesShownMax = 50;
const lintsShownMax = 20;

/** `varve show [REV]` */
export function showCommand(run: Run): Command {
  const command = new Command('show')
    .description(
      'Shows one commit: its place, sizes, layers, labels, what it changes against its first parent (S: it has the same ' +
        'again), what of its layers may surprise, and with --json the image configuration.',
    )
    .argument('[rev]', 'a branch, tag, id or revision', 'HEAD')
    .option('--name-status', 'only the changes, all of them: the class, a tab and the path')
    .addOption(new Option('--stat', 'only count the changes').conflicts('nameStatus'))
    .action(
      run<Options>(async (session, { nameStatus: isNames, stat }, [rev = 'HEAD']) => {
        const repo = await session.repository();
        const commit = await session.client.commit(repo, rev);
        if (commit.warning !== null) session.output.warn(commit.warning);
        if (isNames === true) return writeNames(session, repo, commit.id);
        // An image for several platforms has a tree for each, and none of its own.
        const found =
          commit.index === null
            ? await filesOf(session, { repo, commit: commit.id, isCounted: stat === true })
            : noFiles;
        await session.output.page(process.env);
        await session.output.answer({ ...commit, ...found }, () =>
          [text(commit), ...filesText(session, found)].join('\n'),
        );
      }),
    );
  return withHelp(
    command,
    ['varve show main', 'varve show v1:511136ea --json', 'varve show --name-status main~1'],
    [2, 3, 5, 7],
  );
}

/** What a commit does to files. Null where that is not to be told: its bytes are damaged or lost. */
interface CommitFiles {
  readonly changes: Omit<DiffSummary, 'type'> | null;
  /** The first changes, not all. */
  readonly changed: readonly Change[];
  readonly lints: Omit<CommitLints, 'commit'> | null;
}

const noFiles: CommitFiles = { changes: null, changed: [], lints: null };

async function writeNames({ client, output }: Session, repo: string, commit: string): Promise<void> {
  await output.page(process.env);
  for await (const told of client.files.diff(repo, { to: commit, shadows: true })) {
    if (told.type === 'change') await output.entry(told, nameStatus);
  }
}

async function filesOf(
  { client, output }: Session,
  { repo, commit, isCounted }: { readonly repo: string; readonly commit: string; readonly isCounted: boolean },
): Promise<CommitFiles> {
  const changed: Change[] = [];
  try {
    let changes: CommitFiles['changes'] = null;
    const query = { to: commit, shadows: true, stat: isCounted ? true : undefined };
    for await (const told of client.files.diff(repo, query)) {
      if (told.type === 'change' && changed.length < changesShownMax) changed.push(told);
      if (told.type === 'summary') {
        const { classes, bytesAdded, bytesRemoved } = told;
        changes = { classes, bytesAdded, bytesRemoved };
      }
    }
    const { layers, union } = await client.files.lints(repo, commit);
    return { changes, changed, lints: { layers, union } };
  } catch (error) {
    if (!isVarveError(error) || !['CORRUPT', 'BLOB_UNKNOWN', 'LAYER_INVALID'].includes(error.code)) throw error;
    output.warn(`what it changes cannot be told: ${error.message} (${error.code})`);
    return noFiles;
  }
}

function filesText({ output }: Session, { changes, changed, lints }: CommitFiles): string[] {
  if (changes === null) return [];
  const count = Object.values(changes.classes).reduce((sum, one) => sum + one, 0);
  const more = count - changed.length;
  const lines = changed.map((change) => changeText(change, output.paint));
  const rest = changed.length > 0 && more > 0 ? [`… and ${more} more: varve show --name-status`] : [];
  return ['', summaryText({ type: 'summary', ...changes }), ...lines, ...rest, ...lintLines(lints)];
}

function lintLines(lints: CommitFiles['lints']): string[] {
  const all: readonly Lints[] = lints ? [...lints.layers.map((layer) => layer.lints), lints.union] : [];
  const total = all.reduce((sum, one) => sum + one.total, 0);
  const kept = all.flatMap((one) => one.kept).slice(0, lintsShownMax);
  if (total === 0) return [];
  return [
    '',
    `${total} ${total === 1 ? 'thing' : 'things'} that may surprise:`,
    ...kept.map(({ rule, path, note }) => `  ${rule} ${path === '' ? '/' : lineText(path)}: ${lineText(note)}`),
    ...(total > kept.length ? [`  … and ${total - kept.length} more: varve show --json`] : []),
  ];
}

function text(commit: ShownCommit): string {
  const { platform, origin, layers, labels, index } = commit;
  return [
    `commit ${commit.id}${decoration(commit.refs)}`,
    ...commit.parents.map((parent) => `Parent:   ${parent}`),
    ...line('Author', terminalText(commit.author)),
    ...line('Date', commit.time ?? ''),
    ...line(
      'Platform',
      platform
        ? [platform.os, platform.architecture, ...(platform.variant === null ? [] : [platform.variant])].join('/')
        : '',
    ),
    ...line('v1 id', origin?.v1Id ?? ''),
    ...line('Import of', origin?.importOf ?? ''),
    ...line('Config', commit.config ?? ''),
    ...line('Manifest', commit.manifest?.digest ?? ''),
    ...(index ?? []).map((one) => `Image:    ${one.commit} for ${one.platform.os}/${one.platform.architecture}`),
    ...configLines(commit.configuration),
    ...layers.map((diffId) => `Layer:    ${diffId}`),
    ...Object.entries(labels).map(([key, value]) => `Label:    ${terminalText(`${key}=${value}`)}`),
    `Size:     ${humanSize(commit.ownBytes)} of ${humanSize(commit.virtualBytes)} in ${commit.stackLayers} layers, depth ${commit.depth}`,
    ...(commit.message === ''
      ? []
      : [
          '',
          ...terminalText(commit.message)
            .split('\n')
            .map((one) => `    ${one}`.trimEnd()),
        ]),
  ].join('\n');
}

/** What a container would be started with; the rest of the configuration is for programs. */
function configLines(configuration: unknown): string[] {
  const { config } = (configuration ?? {}) as { readonly config?: Readonly<Record<string, unknown>> | null };
  return Object.entries(config ?? {})
    .filter(([, value]) => !isNothing(value))
    .map(([key, value]) => `          ${lineText(key)}: ${lineText(JSON.stringify(value))}`);
}

/** Docker writes what was not said as an empty value. */
function isNothing(value: unknown): boolean {
  if (value === null || value === '' || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

function line(label: string, value: string): string[] {
  return value === '' ? [] : [`${`${label}:`.padEnd(9)} ${value}`];
}
