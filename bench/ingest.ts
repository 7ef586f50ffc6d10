import { createWriteStream, statSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { openFilesystemBlobStore } from '#adapters/filesystem/filesystem-blob-store';
import { receiveLayer } from '#layer/receive-layer';
import { atLeast, type Found } from './aim.js';
import { inScratch } from './history.js';
import { corpusImages, streamOf } from './image-layers.js';
import { layerStream } from './layer-stream.js';
import { sideBySide, table } from './measure.js';
import { shell } from './shell.js';

/** Layers are taken in again and again: a store that has one writes it all the same. */
const rounds = 5;

/**
 * How fast is a layer taken in (hashed, inflated, indexed, stored, flushed), compared to hashing alone? The largest layer of
 * each image of VARVE_BENCH_CORPUS, as gzip and as a plain tar; without it, or for `synthetic`, one that is made here.
 */
export async function benchIngest(given?: string): Promise<Found> {
  const files =
    given === 'synthetic' ? [] : corpusImages().map(({ name, layers }) => ({ name, file: largest(layers) }));
  return inScratch(async (scratch) => {
    const made = join(scratch, 'made.tar.gz');
    if (files.length === 0) {
      await pipeline(layerStream({ first: 0, files: 20_000, bodyBytes: 4_000 }), createGzip(), createWriteStream(made));
      files.push({ name: 'synthetic', file: made });
    }
    const found: Found[] = [];
    for (const { name, file } of files) found.push(await measure(name, file, scratch));
    return { aims: found.flatMap(({ aims }) => aims), text: found.map(({ text }) => text).join('\n\n') };
  });
}

async function measure(name: string, gzip: string, scratch: string): Promise<Found> {
  const blobs = await openFilesystemBlobStore(join(scratch, 'blobs'));
  try {
    const tar = join(scratch, 'plain.tar');
    await shell('gzip -dc "$1" >"$2"', gzip, tar);
    const bytes = statSync(tar).size;
    const receive = async (file: string): Promise<void> =>
      void (await (await receiveLayer(blobs, streamOf(file))).seal());
    const measured = await sideBySide(
      [
        { name: '`sha256sum` of the tar', bytes, run: () => shell('sha256sum "$1" >/dev/null', tar) },
        { name: 'take in the tar', bytes, run: () => receive(tar) },
        { name: '`gzip -dc` to `sha256sum`', bytes, run: () => shell('gzip -dc "$1" | sha256sum >/dev/null', gzip) },
        { name: 'take in the gzip layer', bytes, run: () => receive(gzip) },
      ],
      rounds,
    );
    const [sum, plain, inflate, compressed] = measured.map(({ medianMs }) => medianMs) as [
      number,
      number,
      number,
      number,
    ];
    return {
      aims: [
        atLeast(`take in a tar layer of ${name}`, sum / plain, 0.5, 'the speed of `sha256sum`'),
        atLeast(`take in a gzip layer of ${name}`, inflate / compressed, 0.8, 'the speed of `gzip -dc` to `sha256sum`'),
      ],
      text: table(`Taking in a layer of ${name}, ${(bytes / 1e6).toFixed(0)} MB`, measured),
    };
  } finally {
    await blobs.close();
  }
}

function largest(files: readonly string[]): string {
  return files.toSorted((a, b) => statSync(b).size - statSync(a).size)[0]!;
}
