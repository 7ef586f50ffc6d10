import { Command, Option } from 'commander';
import type { Checkout } from '#client/client';
import { VarveError } from '#core/error';
import { losses } from '../extract/extraction-report.js';
import { withHelp } from '../help.js';
import { OutputClosed } from '../output.js';
import { shortId } from '../ref-text.js';
import type { Run } from '../in-session.js';
import { withOwnPlatform } from '../own-platform.js';
import type { Session } from '../session.js';
import { humanSize } from '../size.js';

interface Options {
  readonly platform?: string;
  readonly output?: string;
  readonly dir?: string;
}

/** `varve checkout REV -o FILE | -o - | --dir DIR` */
export function checkoutCommand(run: Run): Command {
  const command = new Command('checkout')
    .description(
      'Writes the root filesystem of any commit: as the canonical tar (same tree, same bytes) to a file or to standard ' +
        'output, or as files below a new directory. A file or directory appears whole or not at all.',
    )
    .argument('<rev>', 'a branch, tag, id or revision')
    .option('-o, --output <file>', 'the tar to write; - is standard output')
    .option('--platform <os/arch>', "of an image for several platforms, this one (default: this machine's)")
    .addOption(new Option('--dir <directory>', 'a new or empty directory to extract into').conflicts('output'))
    .action(
      run<Options>(async (session, { output, dir, platform }, [rev = '']) => {
        if (output === undefined && dir === undefined) {
          throw new VarveError('REQUEST_INVALID', 'say where to: -o FILE, -o - or --dir DIRECTORY');
        }
        const repo = await session.repository();
        const checkout = await withOwnPlatform(session, platform, (one) => session.client.rootfs(repo, rev, one));
        if (checkout.warning !== null) session.output.warn(checkout.warning);
        const progress = await session.progress(`checkout ${shortId(checkout.commit)}`, checkout.download.lengthBytes);
        const chunks = counted(checkout.download.chunks(), (bytes) => progress.add(bytes));
        try {
          if (output === '-') await toOutput(session, chunks);
          else if (output !== undefined) await toFile(session, { ...checkout, path: output }, chunks);
          else if (dir !== undefined) await toDirectory(session, { commit: checkout.commit, directory: dir }, chunks);
        } finally {
          progress.stop();
          await chunks.return(undefined);
        }
      }),
    );
  return withHelp(
    command,
    ['varve checkout main -o rootfs.tar', 'varve checkout v1.2 -o - | tar -t', 'varve checkout main~3 --dir ./rootfs'],
    [1, 2, 3, 5, 7, 130],
  );
}

async function* counted(chunks: AsyncIterable<Uint8Array>, count: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    count(chunk.length);
    yield chunk;
  }
}

/** A reader that leaves early has half a tar: that is said by the exit code, unlike at the end of a list. */
async function toOutput(session: Session, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const chunk of chunks) await session.output.bytes(chunk);
  } catch (error) {
    if (!(error instanceof OutputClosed)) throw error;
    throw new VarveError('CANCELLED', 'the reader of the tar left before its end', {}, { cause: error });
  }
}

async function toFile(
  { output }: Session,
  { path, commit, download }: Checkout & { readonly path: string },
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { lengthBytes, etag } = download;
  const { writeWholeFile } = await import('../rootfs-file.js');
  await writeWholeFile(path, chunks);
  await output.answer(
    { commit, output: path, bytes: lengthBytes, etag },
    () => `wrote ${shortId(commit)} to ${path} (${humanSize(lengthBytes)})`,
  );
}

async function toDirectory(
  { output }: Session,
  { commit, directory }: { commit: string; directory: string },
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { extractRootfs } = await import('../extract/extract-rootfs.js');
  const report = await extractRootfs(chunks, directory);
  for (const loss of losses(report)) output.warn(loss);
  await output.answer(
    { commit, directory, ...report },
    () => `extracted ${shortId(commit)} to ${directory} (${report.entries} entries, ${humanSize(report.bytes)})`,
  );
}
