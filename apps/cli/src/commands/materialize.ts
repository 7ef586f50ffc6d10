import { Command, Option } from 'commander';
import { type RootfsFormat, rootfsFormats } from '#core/job';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { showJobs } from '../job-progress.js';
import { withOwnPlatform } from '../own-platform.js';
import { shortId } from '../ref-text.js';

interface Options {
  readonly format: RootfsFormat;
  readonly platform?: string;
}

/** `varve materialize REV [--format tar|tar.gz|tar.zst]` */
export function materializeCommand(run: Run): Command {
  const command = new Command('materialize')
    .description(
      'Has the root filesystem of a commit made as a file that lies ready on the server, and tells from where it can be ' +
        'fetched, by anyone with the URL. A checkout needs no such file; many equal ones, or compressed ones that ' +
        'resume, gain by it.',
    )
    .argument('<rev>', 'a branch, tag, id or revision')
    .addOption(new Option('--format <format>', 'of the file').choices(rootfsFormats).default('tar'))
    .option('--platform <os/arch>', "of an image for several platforms, this one (default: this machine's)")
    .action(
      run<Options>(async (session, { format, platform }, [rev = '']) => {
        const repo = await session.repository();
        const { client, output } = session;
        const { commit, warning } = await client.resolve(repo, rev);
        if (warning !== null) output.warn(warning);
        const ready = await showJobs(session, `materialize ${shortId(commit)}`, (onJob) =>
          withOwnPlatform(session, platform, (one) =>
            client.jobs.tarball(repo, commit, { platform: one, format, onJob }),
          ),
        );
        await output.answer({ commit, format, ...ready }, ({ url }) => url);
      }),
    );
  return withHelp(
    command,
    ['varve materialize main', 'curl -o rootfs.tar.zst "$(varve materialize v1.2 --format tar.zst)"'],
    [1, 2, 3, 5, 7, 130],
  );
}
