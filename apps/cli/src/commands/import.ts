import { Command } from 'commander';
import { VarveError } from '#core/error';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { ownPlatform } from '../own-platform.js';
import { shortId } from '../ref-text.js';
import { uploadOf } from '../upload.js';
import { writingTime } from '../writing-time.js';
import { loadText } from './load.js';

interface Options {
  readonly change: readonly string[];
  readonly message?: string;
  readonly author?: string;
  readonly time?: string;
  readonly platform?: string;
  readonly moveTags?: boolean;
  readonly idempotencyKey?: string;
}

/** `varve import ROOTFS.tar|- [REPO[:TAG]] --change INSTRUCTION --message TEXT` */
export function importCommand(run: Run): Command {
  const command = new Command('import')
    .description(
      'Takes a root filesystem in as an image of one layer: a tar (plain, gzip or zstd), as docker export and varve ' +
        'checkout write it. The same tar, time, message and changes give the same commit. Without a tag it is latest; ' +
        'without a name the branch main of --repo.',
    )
    .argument('<rootfs>', 'a tar, or - for standard input')
    .argument('[name]', 'REPOSITORY[:TAG]')
    .option('-c, --change <instruction>', 'a Dockerfile instruction for the config: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR; may be given again', (one: string, all: readonly string[]) => [...all, one], [])
    .option('-m, --message <text>', 'what it is')
    .option('-a, --author <name>', 'who made it')
    .option('--time <time>', 'when, RFC 3339 (default: SOURCE_DATE_EPOCH, else now)')
    .option('--platform <os/arch>', "what it runs on (default: linux and this machine's processor)")
    .option('--move-tags', 'move a tag that points elsewhere (the reflog keeps where it was)')
    .option('--idempotency-key <key>', 'makes retries one write')
    .action(
      run<Options>(async (session, options, [path = '', name]) => {
        const target = name === undefined ? { repo: session.namedRepository } : nameOf(name);
        if (target.repo === null) {
          throw new VarveError('REQUEST_INVALID', 'say where to: varve import ROOTFS.tar NAME:TAG, or --repo');
        }
        const rootfs = await uploadOf(path, 'application/x-tar');
        const progress = await session.progress(`import ${path}`, rootfs.sizeBytes);
        rootfs.progress = progress;
        try {
          const { change: changes, message, author, moveTags, idempotencyKey } = options;
          const report = await session.client.importRootfs(target.repo, {
            rootfs,
            ...target,
            changes,
            message,
            author,
            time: options.time ?? writingTime(),
            platform: options.platform ?? ownPlatform(),
            moveTags: moveTags === true,
            idempotencyKey,
          });
          progress.stop();
          const config = shortId(report.config.slice('sha256:'.length));
          await session.output.answer(report, (told) => `${loadText(told)}, config ${config}`);
        } finally {
          progress.stop();
        }
      }),
    ); // prettier-ignore
  return withHelp(
    command,
    [
      'varve import rootfs.tar app:1.0 --change \'CMD ["/bin/sh"]\' -m "first cut"',
      'docker export box | varve import - app',
    ],
    [1, 2, 4, 5, 130],
  );
}

/** A colon after the last slash begins the tag. */
function nameOf(name: string): { readonly repo: string; readonly tag: string } {
  const at = name.indexOf(':', name.lastIndexOf('/') + 1);
  return at < 0 ? { repo: name, tag: 'latest' } : { repo: name.slice(0, at), tag: name.slice(at + 1) };
}
