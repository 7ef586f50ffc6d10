import { Command, InvalidArgumentError, Option } from 'commander';
import type { Checkout } from '#client/client';
import { VarveError } from '#core/error';
import { type RootfsFormat, rootfsFormats } from '#core/job';
import { losses } from '../extract/extraction-report.js';
import { withHelp } from '../help.js';
import { OutputClosed } from '../output.js';
import { shortId } from '../ref-text.js';
import type { Run } from '../in-session.js';
import { showJobs } from '../job-progress.js';
import { withOwnPlatform } from '../own-platform.js';
import type { FilePiece } from '../rootfs-file.js';
import type { Session } from '../session.js';
import { humanSize } from '../size.js';

interface Options {
  readonly platform?: string;
  readonly output?: string;
  readonly dir?: string;
  readonly format?: RootfsFormat;
  readonly parallel: number;
  readonly delivery: 'stream' | 'redirect';
}

const parallelMax = 16;

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
    .addOption(
      new Option('--format <format>', 'of the file (default: as its name ends: .tar.gz, .tar.zst, else a plain tar)')
        .choices(rootfsFormats)
        .conflicts('dir'),
    )
    .option(
      '--parallel <n>',
      `fetch a plain tar to a file over so many connections, 1 to ${parallelMax}`,
      connections,
      1,
    )
    .addOption(
      new Option(
        '--delivery <delivery>',
        'stream: made while it is sent; redirect: from a stored file, which is made first if need be',
      )
        .choices(['stream', 'redirect'])
        .default('stream'),
    )
    .action(
      run<Options>(async (session, { output, dir, platform, parallel, delivery, ...wished }, [rev = '']) => {
        if (output === undefined && dir === undefined) {
          throw new VarveError('REQUEST_INVALID', 'say where to: -o FILE, -o - or --dir DIRECTORY');
        }
        const format = wished.format ?? formatOf(output);
        const hasLength = format === 'tar' || delivery === 'redirect';
        if (parallel > 1 && (output === undefined || output === '-' || !hasLength)) {
          throw new VarveError('REQUEST_INVALID', '--parallel wants a plain tar in a file: -o FILE', { parallel });
        }
        const repo = await session.repository();
        const checkout = await showJobs(session, `materialize ${rev}`, (onJob) =>
          withOwnPlatform(session, platform, (one) =>
            session.client.rootfs(repo, rev, { platform: one, format, delivery, onJob }),
          ),
        );
        if (checkout.warning !== null) session.output.warn(checkout.warning);
        const { commit, download } = checkout;
        const progress = await session.progress(`checkout ${shortId(commit)}`, download.lengthBytes);
        const pieces = download.pieces(parallel).map((piece) => ({
          from: piece.from,
          chunks: () => counted(piece.chunks(), (bytes) => progress.add(bytes)),
        }));
        try {
          if (output === '-') await toOutput(session, wholeOf(pieces));
          else if (output !== undefined) await toFile(session, checkout, { path: output, pieces });
          else if (dir !== undefined) await toDirectory(session, { commit, directory: dir }, wholeOf(pieces));
        } finally {
          progress.stop();
          download.stop();
        }
      }),
    );
  return withHelp(
    command,
    [
      'varve checkout main -o rootfs.tar',
      'varve checkout v1.2 -o - | tar -t',
      'varve checkout main~3 --dir ./rootfs',
      'varve checkout v1.2 -o rootfs.tar.zst',
      'varve checkout v1.2 -o rootfs.tar.zst --delivery=redirect',
    ],
    [1, 2, 3, 5, 7, 130],
  );
}

/** What a user expects of a file of that name. */
function formatOf(output = ''): RootfsFormat {
  if (/\.(tar\.gz|tgz)$/i.test(output)) return 'tar.gz';
  return /\.(tar\.zst|tzst)$/i.test(output) ? 'tar.zst' : 'tar';
}

function connections(text: string): number {
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > parallelMax) throw new InvalidArgumentError(`It is not a number from 1 to ${parallelMax}.`);
  return count;
}

function wholeOf([whole]: readonly FilePiece[]): AsyncIterable<Uint8Array> {
  if (!whole) throw new VarveError('INTERNAL', 'a download has no pieces');
  return whole.chunks();
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
  { commit, download }: Checkout,
  { path, pieces }: { readonly path: string; readonly pieces: readonly FilePiece[] },
): Promise<void> {
  const { writeWholeFile } = await import('../rootfs-file.js');
  const bytes = await writeWholeFile(path, pieces, () => download.stop());
  await output.answer(
    { commit, output: path, bytes, etag: download.etag },
    () => `wrote ${shortId(commit)} to ${path} (${humanSize(bytes)})`,
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
