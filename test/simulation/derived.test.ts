import { LayerStore } from '#layer/layer-store';
import { receiveLayer } from '#layer/receive-layer';
import { commitLayer } from '#history/commit-layer';
import { writeRootfs } from '#materialize/write-rootfs';
import type { BlobStore, DerivedAddress } from '#ports/blob-store';
import { readBlob } from '#ports/read-blob';
import { layerStackOf } from '#ports/read-stack';
import { listTree } from '#query/ls';
import { planRootfs } from '#union/rootfs-plan';
import { TreeCheckpoints } from '#union/tree-checkpoints';
import { TreePacking } from '#union/tree-packing';
import { TreeStore } from '#union/tree-store';
import { app, main } from '../fixture/event-builder.js';
import { rawTar } from '../fixture/raw-tar.js';
import { context, runHistory, type RunningHistory } from '../fixture/running-history.js';

const layersTotal = 150;
const files = 60;
const kinds = ['tree', 'pack', 'index', 'seekable'] as const;

let history: RunningHistory;
let whole: Buffer;
beforeAll(async () => {
  history = runHistory();
  await history.create();
  for (let layer = 0; layer < layersTotal; layer++) {
    const name = `d/f${String(layer % files).padStart(3, '0')}`;
    const hard = layer === layersTotal - 1 ? [{ name: 'd/linked', flag: '1' as const, link: name }] : [];
    const tar = rawTar([{ name, body: `${layer} `.repeat(1 + (layer % 50) * 40) }, ...hard]);
    const received = await receiveLayer(history.blobs, pieces(tar));
    const request = {
      repo: app,
      branch: main,
      layer: received,
      message: `${layer}`,
      author: 'a',
      time: null,
      labels: {},
    };
    await commitLayer(history, request, context);
  }
  whole = await new Reader(history).checkout();
});
afterAll(() => history.close());

it('a tree of many small layers is packed when it is first checked out, and then opens none of them', async () => {
  await removeAll(history.blobs);
  const reader = new Reader(history);
  expect((await reader.checkout()).equals(whole)).toBe(true);
  expect(reader.opened).toBe(files);
  await reader.settled();
  expect(await derived(history.blobs, 'pack')).toHaveLength(1);
  reader.opened = 0;
  expect((await reader.checkout()).equals(whole)).toBe(true);
  expect(reader.opened).toBe(0);
});

it('the next process learns of the pack from the checkpoint', async () => {
  const reader = new Reader(history);
  expect((await reader.checkout()).equals(whole)).toBe(true);
  expect(reader.opened).toBe(0);
  expect(reader.indexes).toBe(0);
});

it('a pack tells the same digests as the indexes', async () => {
  const packed = new Reader(history);
  const listed = await packed.list();
  expect(packed.indexes).toBe(0);
  await removeAll(history.blobs);
  const loose = new Reader(history);
  expect(await loose.list()).toEqual(listed);
  expect(loose.indexes).toBeGreaterThan(files);
  expect(listed).toHaveLength(files + 1);
  expect(listed.every(({ sha256 }) => sha256 !== null)).toBe(true);
});

it('loses only time when everything derived is deleted, also under a process that uses it', async () => {
  const reader = new Reader(history);
  await reader.checkout();
  await reader.settled();
  await removeAll(history.blobs);
  reader.opened = 0;
  expect((await reader.checkout()).equals(whole)).toBe(true);
  expect(reader.opened).toBe(files);
  expect((await new Reader(history).checkout()).equals(whole)).toBe(true);
});

it.each<[string, (bytes: Buffer) => Buffer]>([
  ['cut short', (bytes) => bytes.subarray(0, -100)],
  ['empty', () => Buffer.alloc(0)],
  ['changed in its table', (bytes) => ((bytes[200]! ^= 1), bytes)],
  ['of something else', () => Buffer.alloc(5000, 'pack')],
])('takes no notice of a pack that is %s', async (_, damage) => {
  const first = new Reader(history);
  await first.checkout();
  await first.settled();
  const [address] = await derived(history.blobs, 'pack');
  await replace(history.blobs, address!, damage);
  // One that knows the pack already, and one that has to read its table.
  if (damage(Buffer.alloc(5000)).length < 5000) expect((await first.checkout()).equals(whole)).toBe(true);
  const next = new Reader(history);
  expect((await next.checkout()).equals(whole)).toBe(true);
  expect(next.opened).toBe(files);
  await next.settled();
  const third = new Reader(history);
  expect((await third.checkout()).equals(whole)).toBe(true);
  expect(third.opened).toBe(0);
});

/** The read side of a process of its own, which counts the layers and indexes it opens. */
class Reader {
  readonly log;
  readonly graph;
  readonly #layers: LayerStore;
  readonly layers;
  readonly trees: TreeStore;
  readonly #checkpoints: TreeCheckpoints;
  readonly #packing: TreePacking;
  opened = 0;
  indexes = 0;

  constructor({ log, graph, blobs }: RunningHistory) {
    this.log = log;
    this.graph = graph;
    const store = new LayerStore(graph, blobs);
    this.#layers = store;
    const index: LayerStore['index'] = (repo, diffId) => (this.indexes++, store.index(repo, diffId));
    this.layers = {
      index,
      packedDigest: store.packedDigest.bind(store),
      open: store.open.bind(store),
    };
    this.#checkpoints = new TreeCheckpoints(blobs, store.packs);
    this.#packing = new TreePacking(store.packs);
    const [checkpoints, packing] = [this.#checkpoints, this.#packing];
    this.trees = new TreeStore({ loadIndex: index, cacheBytes: 1 << 20, checkpoints, packing });
  }

  async checkout(): Promise<Buffer> {
    const { commit: id } = (await this.graph.ref(app, main))!;
    const commit = (await this.graph.commit(app, id!))!;
    const plan = planRootfs(await this.trees.tree(app, await layerStackOf(this.graph, this.trees, commit)));
    const bodies = this.#layers.bodies(app);
    const openLayer: typeof bodies.openLayer = (diffId) => (this.opened++, bodies.openLayer(diffId));
    const chunks: Uint8Array[] = [];
    for await (const chunk of writeRootfs(plan, { ...bodies, openLayer })) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  async list() {
    const question = { revision: 'main', path: Buffer.from('d'), recursive: false, limit: 1000 };
    return (await listTree(this, app, question)).entries;
  }

  async settled(): Promise<void> {
    await this.#packing.settled();
    await this.#checkpoints.settled();
  }
}

async function* pieces(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function derived(blobs: BlobStore, kind: DerivedAddress['kind']): Promise<DerivedAddress[]> {
  const found: DerivedAddress[] = [];
  for await (const { address } of blobs.derived(kind)) found.push(address);
  return found;
}

async function removeAll(blobs: BlobStore): Promise<void> {
  for (const kind of kinds) for (const address of await derived(blobs, kind)) await blobs.delete(address);
}

async function replace(blobs: BlobStore, address: DerivedAddress, change: (bytes: Buffer) => Buffer): Promise<void> {
  const reader = await blobs.open(address);
  const bytes = Buffer.from(await readBlob(reader));
  await reader.close();
  const staged = await blobs.stageDerived();
  await staged.write(change(bytes));
  await staged.seal(address);
}
