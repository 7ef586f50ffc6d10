import { createReadStream, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** An image with gzip layers as an OCI layout, as our peers read it too. */
export interface BenchImage {
  readonly name: string;
  readonly layout: string;
  /** Its layers as they are stored, lowest first. */
  readonly layers: readonly string[];
}

/** The layouts NAME-oci of the folder VARVE_BENCH_CORPUS names. */
export function corpusImages(): readonly BenchImage[] {
  const corpus = process.env['VARVE_BENCH_CORPUS'];
  if (corpus === undefined) return [];
  return readdirSync(corpus)
    .filter((name) => existsSync(join(corpus, name, 'oci-layout')))
    .toSorted()
    .map((name) => readImage(name.replace(/-oci$/, ''), join(corpus, name)));
}

function readImage(name: string, layout: string): BenchImage {
  const { manifests } = readJson(join(layout, 'index.json')) as { manifests: readonly [{ digest: string }] };
  const manifest = readJson(blobOf(layout, manifests[0].digest)) as { layers: readonly { digest: string }[] };
  return { name, layout, layers: manifest.layers.map(({ digest }) => blobOf(layout, digest)) };
}

export function streamOf(file: string): AsyncIterable<Uint8Array> {
  return createReadStream(file, { highWaterMark: 1 << 20 });
}

function blobOf(layout: string, digest: string): string {
  return join(layout, 'blobs', digest.replace(':', '/'));
}

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'));
}
