import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { openFilesystemBlobStore } from '#adapters/filesystem/filesystem-blob-store';
import type { DiffId } from '#core/digest';
import { stackOfLayers } from '#core/layer-stack';
import { seekableAddress } from '#layer/derived-address';
import { receiveLayer } from '#layer/receive-layer';
import { writeRootfs } from '#materialize/write-rootfs';
import type { BlobAddress, BlobReader, BlobStore } from '#ports/blob-store';
import type { LayerIndex } from '#tar/layer-index';
import { planRootfs, type RootfsPlan } from '#union/rootfs-plan';
import { TreeStore } from '#union/tree-store';
import { absent, type Aim, atLeast, type Found } from './aim.js';
import { commitSynthetic, inScratch, makeRepository, repo, withEngine } from './history.js';
import { type BenchImage, corpusImages, streamOf } from './image-layers.js';
import { layerStream } from './layer-stream.js';
import { type Measured, once, sideBySide, table } from './measure.js';
import { peersFor } from './peers.js';
import { varve, withServer } from './server.js';
import { shell } from './shell.js';

/** Without a corpus: three layers, the second and third each replacing a part of the one below. */
const synthetic = [0, 1_000, 2_000].map((first) => ({ first, files: 4_000, bodyBytes: 7_500 }));
/** How much faster than our peers, by image; others have no aim. @see design 7 */
const peerAims: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  debian: { '`crane export`': 15, '`umoci unpack` + `tar`': 20 },
  node: { '`crane export`': 8, '`umoci unpack` + `tar`': 50 },
};

/**
 * How fast is the root filesystem of a stack written to a file, beside `cat` of the same bytes and beside others who do it?
 * Of the images of VARVE_BENCH_CORPUS; without it, or for `synthetic`, of one that is made here.
 */
export async function benchCheckout(given?: string): Promise<Found> {
  const images = corpusImages().filter(({ name }) => given === undefined || given === name);
  const found = images.length === 0 ? [await inScratch(ofSynthetic)] : [];
  for (const image of images) found.push(await inScratch((scratch) => ofImage(image, scratch)));
  return { aims: found.flatMap(({ aims }) => aims), text: found.map(({ text }) => text).join('\n\n') };
}

async function ofSynthetic(scratch: string): Promise<Found> {
  const data = join(scratch, 'data');
  await withEngine(data, async (engine) => {
    await makeRepository(engine);
    for (const layer of synthetic) await commitSynthetic(engine, layer);
  });
  return measure({ name: 'synthetic', scratch, data, revision: 'main', layers: synthetic.map(layerStream) });
}

async function ofImage(image: BenchImage, scratch: string): Promise<Found> {
  const data = join(scratch, 'data');
  await withServer(
    data,
    ({ url }) =>
    shell('tar -C "$1" -cf "$2" . && "$3" --server "$4" -q load --repo bench "$2" >/dev/null && rm "$2"', image.layout, join(scratch, 'image.tar'), varve, url), // prettier-ignore
  );
  return measure({ name: image.name, scratch, data, revision: 'latest', layers: image.layers.map(streamOf), image });
}

interface Subject {
  readonly name: string;
  readonly scratch: string;
  /** A data folder that has it in the repository `bench`, for the server. */
  readonly data: string;
  readonly revision: string;
  readonly layers: readonly AsyncIterable<Uint8Array>[];
  readonly image?: BenchImage;
}

async function measure({ name, scratch, data, revision, layers, image }: Subject): Promise<Found> {
  const blobs = await openFilesystemBlobStore(join(scratch, 'blobs'));
  const stored = await StoredStack.receive(blobs, layers);
  const [flat, output] = [join(scratch, 'flat.tar'), join(scratch, 'output.tar')];
  const kept = await stored.plan();
  await stored.write(kept, flat);
  const bytes = kept.length;
  const peers = image ? await peersFor(image, bytes, scratch) : { candidates: [], absent: [], close: () => undefined };
  try {
    const measured = await withServer(data, async ({ url }) => {
      const checkout = (): Promise<void> => shell('"$1" --server "$2" --repo bench checkout "$3" -o "$4" >/dev/null', varve, url, revision, output); // prettier-ignore
      const ours = await sideBySide([
        { name: '`cat` to a file', bytes, run: () => shell('rm -f "$2"; cat "$1" >"$2"', flat, output) },
        { name: 'plan and write in one process', bytes, run: async () => stored.write(await stored.plan(), output) },
        { name: 'write a kept plan', bytes, run: () => stored.write(kept, output) },
        { name: 'plan alone', bytes, run: async () => void (await stored.plan()) },
        { name: '`varve checkout` through loopback', bytes, run: checkout },
      ]);
      await shell('cmp "$1" "$2"', flat, output);
      return [...ours, ...(await once(peers.candidates))];
    });
    const what = `${name}: ${stored.depth} layers, ${kept.entryCount} entries, ${(bytes / 1e6).toFixed(0)} MB`;
    const aims = [
      ...aimsOf(name, measured),
      ...peers.absent.map(({ peer, why }) => absent(`checkout of ${name}`, peer, why)),
    ];
    return { aims, text: table(`Checkout of ${what}`, measured) };
  } finally {
    peers.close();
    await blobs.close();
  }
}

function aimsOf(name: string, [cat, planned, , , checkout, ...peers]: readonly Measured[]): Aim[] {
  return [
    atLeast(`plan and write ${name} in one process`, faster(planned!, cat!), 0.8, 'the speed of `cat`'),
    atLeast(`\`varve checkout\` of ${name} through loopback`, faster(checkout!, cat!), 0.4, 'the speed of `cat`'),
    ...peers.map(
      (peer) =>
      atLeast(`plan and write ${name} in one process`, faster(planned!, peer), peerAims[name]?.[peer.name] ?? 1, `the speed of ${peer.name}`), // prettier-ignore
    ),
  ];
}

function faster(one: Measured, other: Measured): number {
  return other.medianMs / one.medianMs;
}

/** A stack in a blob store, with the indexes of its layers. */
class StoredStack {
  readonly #blobs: BlobStore;
  readonly #layers = new Map<DiffId, { readonly address: BlobAddress; readonly index: LayerIndex }>();
  readonly #stack: DiffId[] = [];

  private constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  static async receive(blobs: BlobStore, layers: readonly AsyncIterable<Uint8Array>[]): Promise<StoredStack> {
    const stored = new StoredStack(blobs);
    for (const bytes of layers) {
      const layer = await receiveLayer(blobs, bytes);
      const index = await layer.readIndex();
      stored.#layers.set(layer.diffId, { address: await layer.seal(), index });
      stored.#stack.push(layer.diffId);
    }
    return stored;
  }

  get depth(): number {
    return this.#stack.length;
  }

  /** From the indexes of the layers, with nothing kept. */
  async plan(): Promise<RootfsPlan> {
    const trees = new TreeStore({ loadIndex: async (_, diffId) => this.#held(diffId).index, cacheBytes: 1 << 30 });
    return planRootfs(await trees.tree(repo, stackOfLayers(this.#stack)));
  }

  /** Reads the next chunk while one is written, and gives its memory back. */
  async write(plan: RootfsPlan, path: string): Promise<void> {
    const file = await open(path, 'w');
    let writing: Promise<unknown> = Promise.resolve();
    for await (const chunk of writeRootfs(plan, (diffId) => this.#open(diffId))) {
      await writing;
      writing = file.write(chunk).then(() => (chunk.buffer as ArrayBuffer).transfer(0));
    }
    await writing;
    await file.close();
  }

  #open(diffId: DiffId): Promise<BlobReader> {
    const { address } = this.#held(diffId);
    return this.#blobs.open(address.digest === diffId ? address : seekableAddress(diffId));
  }

  #held(diffId: DiffId) {
    const layer = this.#layers.get(diffId);
    if (!layer) throw new Error(`the plan names a layer that is not of the stack: ${diffId}`);
    return layer;
  }
}
