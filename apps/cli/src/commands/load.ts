import { Command } from 'commander';
import type { LoadedImage, LoadReport } from '#client/answer';
import type { RequestBody } from '#client/transport';
import { withHelp } from '../help.js';
import { namedInput } from '../named-input.js';
import type { Progress } from '../progress.js';
import { bareName, shortId } from '../ref-text.js';
import type { Run } from '../in-session.js';
import { humanSize } from '../size.js';
import { fileStat, uploadOf } from '../upload.js';

interface Options {
  readonly moveTags?: boolean;
  readonly platform?: string;
  readonly message?: string;
  readonly idempotencyKey?: string;
}

/** `varve load ARCHIVE.tar|DIRECTORY|-` */
export function loadCommand(run: Run): Command {
  const command = new Command('load')
    .description(
      'Takes in an image archive: docker save of any age (also of 2015, without manifest.json), or an OCI layout; a tar, ' +
        'a directory, or - for standard input. What is there already is not stored again. The names in the archive say ' +
        'into which repositories; --repo names one for those that have none.',
    )
    .argument('<archive>', 'a tar, an unpacked archive, or - for standard input')
    .option('--move-tags', 'move tags that point elsewhere (the reflog keeps where they were)')
    .option('--platform <os/arch>', 'of an image for several platforms, this one; else all, grouped')
    .option('-m, --message <reason>', 'why, for the reflog')
    .option('--idempotency-key <key>', 'makes retries one write')
    .action(
      run<Options>(async (session, { moveTags, platform, message: reason, idempotencyKey }, [path = '']) => {
        const upload = await archiveAt(path);
        const progress = await session.progress(`load ${path}`, upload.body.sizeBytes);
        upload.watch(progress);
        try {
          const wish = { archive: upload.body, moveTags: moveTags === true, platform, reason, idempotencyKey };
          const report = await namedInput(path, () => session.client.loadArchive(session.namedRepository, wish));
          progress.stop();
          for (const warning of report.warnings) session.output.warn(warning);
          await session.output.answer(report, loadText);
        } finally {
          progress.stop();
        }
      }),
    );
  return withHelp(
    command,
    ['varve load image.tar', 'docker save app:latest | varve load - --move-tags'],
    [1, 2, 4, 5, 130],
  );
}

export function loadText({ images, repositories }: LoadReport): string {
  const stored = repositories.reduce((bytes, { bytesStored }) => bytes + bytesStored, 0);
  return [...images.map(imageText), stored === 0 ? 'nothing new to store' : `stored ${humanSize(stored)}`].join('\n');
}

/** `app:latest  5f2b0c1d9e3a  8 commits (3 new), 4 layers (1 new), 180.1 MB` */
function imageText({ repo, refs, commit, virtualBytes, ...counts }: LoadedImage): string {
  const names = refs.length === 0 ? [repo] : refs.map((ref) => `${repo}:${bareName(ref)}`);
  const commits = `${plural(counts.commits, 'commit')} (${counts.commitsNew} new)`;
  const layers = `${plural(counts.layers, 'layer')} (${counts.layersNew} new)`;
  return `${names.join(', ')}  ${shortId(commit)}  ${commits}, ${layers}, ${humanSize(virtualBytes)}`;
}

function plural(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}

interface WatchedBody {
  readonly body: RequestBody;
  watch(progress: Progress): void;
}

async function archiveAt(path: string): Promise<WatchedBody> {
  if (path !== '-' && (await fileStat(path)).isDirectory()) return directoryAt(path);
  const body = await uploadOf(path, 'application/x-tar');
  return { body, watch: (progress) => (body.progress = progress) };
}

async function directoryAt(path: string): Promise<WatchedBody> {
  const { tarDirectory } = await import('../tar-directory.js');
  let shown: Progress | undefined;
  const open = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of tarDirectory(path)) {
      yield chunk;
      shown?.add(chunk.length);
    }
  };
  const body = { contentType: 'application/x-tar', sizeBytes: null, repeatable: true, open };
  return { body, watch: (progress) => (shown = progress) };
}
