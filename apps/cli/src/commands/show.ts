import { Command } from 'commander';
import type { ShownCommit } from '#client/answer';
import { withHelp } from '../help.js';
import { decoration } from '../ref-text.js';
import type { Run } from '../in-session.js';
import { humanSize } from '../size.js';
import { terminalText } from '../terminal-text.js';

/** `varve show [REV]` */
export function showCommand(run: Run): Command {
  const command = new Command('show')
    .description('Shows one commit: its place, sizes, layers, labels, and the image configuration (with --json).')
    .argument('[rev]', 'a branch, tag, id or revision', 'HEAD')
    .action(
      run(async (session, _options, [rev = 'HEAD']) => {
        const commit = await session.client.commit(await session.repository(), rev);
        if (commit.warning !== null) session.output.warn(commit.warning);
        await session.output.answer(commit, text);
      }),
    );
  return withHelp(command, ['varve show main', 'varve show v1:511136ea --json'], [2, 3, 5, 7]);
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

function line(label: string, value: string): string[] {
  return value === '' ? [] : [`${`${label}:`.padEnd(10)}${value}`];
}
