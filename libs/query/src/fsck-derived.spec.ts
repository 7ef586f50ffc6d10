import { openMemoryJobQueue } from '#adapters/memory/memory-job-queue';
import type { CommitRow } from '#core/graph-row';
import type { RootfsWish } from '#core/job';
import { commitLayer } from '#history/commit-layer';
import { layerProvenance } from '#layer/layer-provenance';
import { LayerStore } from '#layer/layer-store';
import { receiveLayer } from '#layer/receive-layer';
import { tarballName } from '#materialize/tarball-name';
import { tarballProvenance } from '#materialize/tarball-provenance';
import { TarballWorker } from '#materialize/tarball-worker';
import type { BlobStore, DerivedAddress } from '#ports/blob-store';
import { readBlob } from '#ports/read-blob';
import { layerStackOf } from '#ports/read-stack';
import { isSparse } from '#tar/layer-entries';
import { TreeCheckpoints } from '#union/tree-checkpoints';
import { TreePacking } from '#union/tree-packing';
import { packProvenance, treeProvenance } from '#union/tree-provenance';
import { TreeStore } from '#union/tree-store';
import { collect, inPieces, randomBytesOf } from '../../../test/fixture/bytes-random.js';
import { app, main } from '../../../test/fixture/event-builder.js';
import { rawTar, type RawEntry } from '../../../test/fixture/raw-tar.js';
import { context, runHistory, type RunningHistory } from '../../../test/fixture/running-history.js';
import { checkDerived, placeOf } from './fsck-derived.js';

/** Five bytes, a hole, and five more. */
const withHole: RawEntry = {
  name: 'a hole',
  body: Buffer.concat([Buffer.from('2\n0\n5\n100000\n5\n'.padEnd(512, '\0')), Buffer.from('helloworld')]),
  pax: {
    'GNU.sparse.major': '1',
    'GNU.sparse.minor': '0',
    'GNU.sparse.name': 'a hole',
    'GNU.sparse.realsize': '100005',
  },
};
const kinds = ['tree', 'pack', 'tarball'] as const;
const layersTotal = 20;
const clock = { now: () => 1_800_000_000_000 };
const queue = openMemoryJobQueue({ clock });

let history: RunningHistory;
let layers: LayerStore;
beforeAll(async () => {
  history = runHistory();
  await history.create();
  for (let n = 0; n < layersTotal; n += 1) {
    // Sizes of every remainder, so that every padding there can be is checked.
    const entries = [{ name: `file${n}`, body: randomBytesOf(n + 1, 100 + n) }, ...(n === 3 ? [withHole] : [])];
    const added = await receiveLayer(history.blobs, inPieces(rawTar([...entries, { name: `empty${n}` }]), 1_000));
    const request = { repo: app, branch: main, layer: added, message: '', author: '', time: null, labels: {} };
    await commitLayer(history, request, context);
  }
  const { graph, blobs } = history;
  layers = new LayerStore(graph, blobs);
  const checkpoints = new TreeCheckpoints(blobs, layers.packs);
  const packing = new TreePacking(layers.packs);
  const loadIndex: LayerStore['index'] = (repo, diffId) => layers.index(repo, diffId);
  const trees = new TreeStore({ loadIndex, cacheBytes: 1 << 20, checkpoints, packing });
  const { commit: id } = (await graph.ref(app, main))!;
  const commit = (await graph.commit(app, id!)) as CommitRow;
  await trees.tree(app, await layerStackOf(graph, trees, commit));
  await packing.settled();
  await checkpoints.settled();
  const { chainId } = commit;
  const wish: RootfsWish = { name: tarballName(chainId, 'tar'), repo: app, commit: commit.id, chainId, format: 'tar' };
  await queue.ensure(wish);
  const options = { graph, trees, layers, blobs, queue, clock, name: 'w', random: () => randomBytesOf(99, 16) };
  await new TarballWorker({ ...options, onWorked: () => undefined }).workOne();
});
afterAll(() => history.close());

describe('checkDerived', () => {
  it('finds nothing wrong with what is whole, a file with a hole too, and reads it all', async () => {
    const { found, bytes } = await check();
    expect(found).toEqual([]);
    const objects = (await Promise.all(kinds.map((kind) => collect(history.blobs.derived(kind))))).flat();
    expect(objects).toHaveLength(3);
    expect(bytes).toBe(objects.reduce((sum, { size }) => sum + size, 0));
    expect((await check({ quick: true })).bytes).toBe(0);
  });

  it.each(kinds)('finds every bit of a %s that is flipped, and nothing without reading', async (kind) => {
    const address = await only(kind);
    const size = (await history.blobs.stat(address))!;
    // A prime, so that each field is met sooner or later.
    const unread = kind === 'pack' ? unreadOf(await read(address)) : () => false;
    for (let at = 0; at < size; at += size > 10_000 ? 997 : 37) {
      if (unread(at)) continue;
      await damaged(address, flipped(at), async () => {
        expect((await check()).found).toEqual([`${kind}-differs ${placeOf(address)}`]);
      });
    }
    await damaged(address, flipped(size - 1), async () => {
      expect((await check()).found).toEqual([`${kind}-differs ${placeOf(address)}`]);
      expect((await check({ quick: true })).found).toEqual([]);
    });
  });

  it.each(kinds)('finds a %s that is cut short, empty, longer or another one', async (kind) => {
    const address = await only(kind);
    for (const change of [
      (bytes: Buffer) => bytes.subarray(0, -1),
      (bytes: Buffer) => bytes.subarray(0, bytes.length >> 1),
      () => Buffer.alloc(0),
      (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(8)]),
      () => randomBytesOf(1, 5_000),
    ]) {
      await damaged(address, change, async () => {
        expect((await check()).found).toEqual([`${kind}-differs ${placeOf(address)}`]);
      });
    }
  });

  it('finds the tree of another stack under the key of one', async () => {
    const address = await only('tree');
    const genesis = (await history.graph.commits(app, { limit: 100 })).find(({ stackLayers }) => stackLayers === 5)!;
    const other = { ...address, key: genesis.chainId };
    await put(history.blobs, other, await read(address));
    expect((await check()).found).toEqual([`tree-differs ${placeOf(other)}`]);
    await history.blobs.delete(other);
  });

  it('tells of a tarball that is gone, and of what nothing asks for, as notices', async () => {
    const address = await only('tarball');
    await damaged(address, undefined, async () => {
      expect((await check({ quick: true })).found).toEqual([`tarball-missing ${placeOf(address)}`]);
    });
    const stray = { kind: 'index', version: 1, key: address.key } as const;
    await put(history.blobs, stray, Buffer.from('of no layer'));
    const { found, messages } = await check({ quick: true, storedBefore: Date.now() + 60_000 });
    expect(found).toEqual([`derived-unreferenced ${placeOf(stray)}`]);
    expect(messages[0]).toMatch(/no commit was accepted with this layer\. They do no harm\. Run varve gc/);
    // It may be an upload that goes on.
    expect((await check({ storedBefore: 0 })).found).toEqual([]);
    await history.blobs.delete(stray);
  });
});

async function check(scope: { quick?: boolean; storedBefore?: number } = {}) {
  const { graph, blobs } = history;
  const sources = {
    blobs,
    provenances: [
      layerProvenance('index', graph),
      treeProvenance(graph),
      // As another process sees it, which reads none.
      packProvenance({ graph, blobs }, { version: layers.packs.version, isKnown: () => true }),
      tarballProvenance({ queue, blobs, clock }),
    ],
    isSparse: async (...[diffId, entry]: Parameters<Parameters<typeof checkDerived>[0]['isSparse']>) =>
      isSparse((await layers.index(app, diffId)).entries, entry),
    tarballs: () => queue.tarballs(),
  };
  const found: string[] = [];
  const messages: string[] = [];
  let bytes = 0;
  for await (const step of checkDerived(sources, { quick: false, storedBefore: Date.now(), ...scope })) {
    if (step.type === 'checked') bytes += step.count;
    else {
      found.push(`${step.finding.rule} ${step.finding.where}`);
      messages.push(step.finding.message);
    }
  }
  return { found, bytes, messages };
}

async function only(kind: (typeof kinds)[number]): Promise<DerivedAddress> {
  const [stored, ...others] = await collect(history.blobs.derived(kind));
  expect(others).toEqual([]);
  return stored!.address;
}

/** What of a pack is held against nothing: the gap behind its table, and the pieces of a file with a hole. */
function unreadOf(pack: Buffer): (at: number) => boolean {
  const tableEnd = 8 + pack.readUInt32LE(4);
  const pieces = pack.indexOf('helloworld');
  expect(pieces).toBeGreaterThanOrEqual(tableEnd);
  return (at) => (at >= tableEnd && at < Math.ceil(tableEnd / 8) * 8) || (at >= pieces && at < pieces + 16);
}

function flipped(at: number): (bytes: Buffer) => Buffer {
  return (bytes) => {
    bytes[at]! ^= 1;
    return bytes;
  };
}

async function damaged(
  address: DerivedAddress,
  change: ((bytes: Buffer) => Buffer) | undefined,
  ask: () => Promise<void>,
): Promise<void> {
  const whole = await read(address);
  if (change) await put(history.blobs, address, change(Buffer.from(whole)));
  else await history.blobs.delete(address);
  try {
    await ask();
  } finally {
    await put(history.blobs, address, whole);
  }
}

async function read(address: DerivedAddress): Promise<Buffer> {
  return readBlob(await history.blobs.open(address));
}

async function put(blobs: BlobStore, address: DerivedAddress, bytes: Buffer): Promise<void> {
  const staged = await blobs.stageDerived();
  await staged.write(bytes);
  await staged.seal(address);
}
