import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { absent, type Aim, atLeast, atMost, type Found } from './aim.js';
import { inScratch } from './history.js';
import { type BenchImage, corpusImages } from './image-layers.js';
import { type Measured, sideBySide, table } from './measure.js';
import { varve, withServer } from './server.js';
import { shell } from './shell.js';

const rounds = 3;
const mebibyte = 2 ** 20;

/**
 * How fast is an image archive loaded through loopback, each time into a server that has nothing yet, compared to what
 * the coreutils need for its layers? The server's start is in its time.
 */
export async function benchLoad(): Promise<Found> {
  const found: Found[] = [];
  for (const image of corpusImages()) found.push(await inScratch((scratch) => measure(image, scratch)));
  if (found.length === 0) return { aims: [absent('load', '`gzip -dc`', 'VARVE_BENCH_CORPUS is not set')], text: '' };
  return { aims: found.flatMap(({ aims }) => aims), text: found.map(({ text }) => text).join('\n\n') };
}

async function measure({ name, layout, layers }: BenchImage, scratch: string): Promise<Found> {
  const tars = layers.map((_, i) => join(scratch, `${i}.tar`));
  for (const [i, layer] of layers.entries()) await shell('gzip -dc "$1" >"$2"', layer, tars[i] as string);
  const saved = join(layout, '..', `${name}.tar`);
  const peaks: number[] = [];
  const load = (archive: string) => async (): Promise<void> => {
    const data = join(scratch, 'data');
    rmSync(data, { recursive: true, force: true });
    await withServer(data, async (server) => {
      await shell('"$1" --server "$2" --repo bench load "$3" >/dev/null', varve, server.url, archive);
      peaks.push(server.memory().peakBytes / mebibyte);
    });
  };
  const measured = await sideBySide(
    [
      { name: '`gzip -dc` of the layers', bytes: 0, run: () => shell('gzip -dc "$@" >/dev/null', ...layers) },
      { name: '`sha256sum` of the layers', bytes: 0, run: () => shell('sha256sum "$@" >/dev/null', ...tars) },
      { name: '`varve load` of the OCI layout', bytes: 0, run: load(layout) },
      ...(existsSync(saved) ? [{ name: '`varve load` of docker save', bytes: 0, run: load(saved) }] : []),
    ],
    rounds,
  );
  return { aims: aimsOf(name, measured, Math.max(...peaks)), text: table(`Loading ${name}`, measured) };
}

/** What is loaded as it was compressed is measured by inflating; both by the slower of the two. */
function aimsOf(name: string, [gzip, sum, ...loads]: readonly Measured[], peakMebibytes: number): Aim[] {
  const slower = Math.max(gzip!.medianMs, sum!.medianMs);
  return [
    ...loads.map((one) => atLeast(`${one.name}: ${name}`, slower / one.medianMs, 0.7, 'the slower of `gzip -dc` and `sha256sum`')), // prettier-ignore
    atMost(`memory of the server during a load of ${name}`, peakMebibytes, 300, 'MiB'),
  ];
}
