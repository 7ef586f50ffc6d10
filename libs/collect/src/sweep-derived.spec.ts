import type { CommitRow } from '#core/graph-row';
import { stackOn } from '#core/layer-stack';
import { commitLayer } from '#history/commit-layer';
import { indexAddress, seekableAddress } from '#layer/derived-address';
import { layerProvenance } from '#layer/layer-provenance';
import { LayerStore } from '#layer/layer-store';
import { receiveLayer, type ReceivedLayer } from '#layer/receive-layer';
import { writeRootfs } from '#materialize/write-rootfs';
import type { BlobStore, DerivedAddress, StoredDerived } from '#ports/blob-store';
import type { Provenance } from '#ports/provenance';
import { layerStackOf } from '#ports/read-stack';
import { planRootfs } from '#union/rootfs-plan';
import { TreeCheckpoints } from '#union/tree-checkpoints';
import { TreePacking } from '#union/tree-packing';
import { packProvenance, treeProvenance } from '#union/tree-provenance';
import { TreeStore } from '#union/tree-store';
import { collect, inPieces, randomBytesOf } from '../../../test/fixture/bytes-random.js';
import { app, main } from '../../../test/fixture/event-builder.js';
import { layer } from '../../../test/fixture/layer-builder.js';
import { context, runHistory, type RunningHistory } from '../../../test/fixture/running-history.js';
import { sweepDerived, type SweepOptions } from './sweep-derived.js';

const kinds = ['index', 'seekable', 'tree', 'pack'] as const;
const layersTotal = 20;
const nothing = { count: 0, bytes: 0 };

let history: RunningHistory;
let process: Reader;
beforeEach(async () => {
  history = runHistory();
  await history.create();
  for (let n = 0; n < layersTotal; n += 1) await commit(await received(n));
  process = new Reader(history);
  // Twenty small layers: their tree is written with the pack that holds their files.
  await process.checkout();
  await process.settled();
});
afterEach(() => history.close());

describe('sweepDerived', () => {
  it('leaves all that comes from what there is', async () => {
    const before = await everything();
    expect(before.map(({ kind }) => kind).toSorted()).toEqual(
      expect.arrayContaining(['index', 'pack', 'seekable', 'tree']),
    );
    const swept = await sweep();
    expect(swept.map(({ kind, removed }) => [kind, removed])).toEqual(kinds.map((kind) => [kind, nothing]));
    expect(swept.map(({ stored }) => stored.count)).toEqual(
      kinds.map((kind) => before.filter((one) => one.kind === kind).length),
    );
    expect(await everything()).toEqual(before);
  });

  it('removes what came of an upload that nobody proposed, a stack that no commit has, and an older version', async () => {
    const before = await everything();
    const abandoned = await received(100);
    await abandoned.seal();
    const { tree, stack } = await process.tip();
    const checkpoints = new TreeCheckpoints(history.blobs);
    checkpoints.writeSoon({ tree, stack: stackOn(stack, [abandoned.diffId]) });
    await checkpoints.settled();
    await putDerived({ ...indexAddress(abandoned.diffId), version: 0 });
    await putDerived({ kind: 'tree', version: 1, key: stack.chainId });
    const newer = await putDerived({ ...seekableAddress(abandoned.diffId), version: 2 });

    const told = await sweep({ dryRun: true });
    const all = await everything();
    expect(all).toHaveLength(before.length + 6);
    const swept = await sweep();
    expect(swept).toEqual(told);
    expect(swept.map(({ removed }) => removed.count)).toEqual([2, 1, 2, 0]);
    expect(swept[0]?.removed.bytes).toBeGreaterThan(0);
    // Those who made it have a newer program, and will ask for it.
    expect(await everything()).toEqual(expect.arrayContaining([...before, newer]));
    expect(await everything()).toHaveLength(before.length + 1);
  });

  it('removes a pack that no tree names, unless this process reads it', async () => {
    const [pack] = await collect(history.blobs.derived('pack'));
    for (const { address } of await collect(history.blobs.derived('tree'))) await history.blobs.delete(address);

    expect((await sweep())[3]).toMatchObject({ kind: 'pack', removed: { count: 0 } });
    const other = new Reader(history);
    expect((await sweep({}, other))[3]).toMatchObject({ kind: 'pack', removed: { count: 1, bytes: pack?.size } });
    expect(await collect(history.blobs.derived('pack'))).toEqual([]);
    // And who reads it all the same loses nothing but time.
    expect(await process.checkout()).toEqual(await other.checkout());
  });

  it('takes a tree that no commit has for no witness of a pack, also before that tree is removed', async () => {
    const [tree] = await collect(history.blobs.derived('tree'));
    const { stack } = await process.tip();
    const other = { ...tree!.address, key: stackOn(stack, stack.layers.slice(0, 1)).chainId };
    await copy(history.blobs, tree!.address, other);
    await history.blobs.delete(tree!.address);

    const swept = await sweep({ dryRun: true }, new Reader(history));
    expect(swept.slice(2).map(({ removed }) => removed.count)).toEqual([1, 1]);
  });

  it('spares what is young', async () => {
    await (await received(100)).seal();
    const before = await everything();
    await sweep({ graceMs: 3_600_000 });
    expect(await everything()).toEqual(before);
  });

  it('costs a write that is on its way, and its readers, nothing but time', async () => {
    const late = await received(100);
    const { seal } = late;
    // Swept between the bytes and the record that names them, as another process without grace would.
    const swept: number[] = [];
    const request = {
      ...late,
      seal: async () => {
        const named = await seal();
        swept.push(...(await sweep()).map(({ removed }) => removed.count));
        return named;
      },
    };
    await commit(request);
    expect(swept).toEqual([1, 1, 0, 0]);

    const reader = new Reader(history);
    const whole = await reader.checkout();
    await reader.settled();
    expect(await history.blobs.stat(seekableAddress(late.diffId))).toBe(late.tarBytes);
    expect(await history.blobs.stat(indexAddress(late.diffId))).toBeGreaterThan(0);
    expect((await sweep()).map(({ removed }) => removed)).toEqual([nothing, nothing, nothing, nothing]);
    expect(await new Reader(history).checkout()).toEqual(whole);
  });

  it('holds one page of one kind, however many objects there are', async () => {
    const held: number[] = [];
    const provenance: Provenance = {
      kind: 'index',
      pageSize: 7,
      orphansOf: async (page) => (held.push(page.length), page.map((one) => ({ ...one, why: 'it is asked' }))),
    };
    async function* many(): AsyncGenerator<StoredDerived> {
      const { address } = (await collect(history.blobs.derived('index')))[0]!;
      for (let n = 0; n < 100; n += 1) yield { address, size: 3, modifiedAt: 0 };
    }
    let deleted = 0;
    const blobs = { derived: many, delete: async () => void deleted++ };
    const [swept] = await sweepDerived({ blobs, clock: { now: () => 1 } }, [provenance], { graceMs: 0 });
    expect(held).toEqual([...Array<number>(14).fill(7), 2]);
    expect([deleted, swept?.removed]).toEqual([100, { count: 100, bytes: 300 }]);
  });

  it('stops between two pages when it is told to', async () => {
    await expect(sweep({ signal: AbortSignal.abort(new Error('the process ends')) })).rejects.toThrow(
      'the process ends',
    );
  });
});

function sweep(options: Partial<SweepOptions> = {}, by = process) {
  const { graph, blobs } = history;
  const provenances = [
    layerProvenance('index', graph),
    layerProvenance('seekable', graph),
    treeProvenance(graph),
    packProvenance({ graph, blobs }, by.layers.packs),
  ];
  return sweepDerived({ blobs, clock: { now: () => Date.now() } }, provenances, { graceMs: 0, ...options });
}

/** Compressed, so that it has a seekable copy and an index. */
async function received(n: number): Promise<ReceivedLayer> {
  const { blob } = layer({ [`file${n}`]: randomBytesOf(n + 1, 2_000) }, 'gzip');
  return receiveLayer(history.blobs, inPieces(blob, 1_000));
}

async function commit(added: ReceivedLayer): Promise<void> {
  const request = { repo: app, branch: main, layer: added, message: '', author: '', time: null, labels: {} };
  await commitLayer(history, request, context);
}

async function everything(): Promise<DerivedAddress[]> {
  const found = await Promise.all(kinds.map((kind) => collect(history.blobs.derived(kind))));
  return found.flat().map(({ address }) => address);
}

async function putDerived(address: DerivedAddress): Promise<DerivedAddress> {
  const staged = await history.blobs.stageDerived();
  await staged.write(Buffer.from('of another version'));
  await staged.seal(address);
  return address;
}

async function copy(blobs: BlobStore, from: DerivedAddress, to: DerivedAddress): Promise<void> {
  const reader = await blobs.open(from);
  const bytes = Buffer.alloc(reader.size);
  await reader.read(bytes, 0);
  const staged = await blobs.stageDerived();
  await staged.write(bytes);
  await staged.seal(to);
}

/** What a process of its own knows. */
class Reader {
  readonly layers: LayerStore;
  readonly #graph: RunningHistory['graph'];
  readonly #trees: TreeStore;
  readonly #checkpoints: TreeCheckpoints;
  readonly #packing: TreePacking;

  constructor({ graph, blobs }: RunningHistory) {
    this.#graph = graph;
    this.layers = new LayerStore(graph, blobs);
    this.#checkpoints = new TreeCheckpoints(blobs, this.layers.packs);
    this.#packing = new TreePacking(this.layers.packs);
    const [checkpoints, packing] = [this.#checkpoints, this.#packing];
    const loadIndex: LayerStore['index'] = (repo, diffId) => this.layers.index(repo, diffId);
    this.#trees = new TreeStore({ loadIndex, cacheBytes: 1 << 20, checkpoints, packing });
  }

  async tip() {
    const { commit: id } = (await this.#graph.ref(app, main))!;
    const row = (await this.#graph.commit(app, id!)) as CommitRow;
    const stack = await layerStackOf(this.#graph, this.#trees, row);
    return { stack, tree: await this.#trees.tree(app, stack) };
  }

  async checkout(): Promise<Buffer> {
    const { tree } = await this.tip();
    return Buffer.concat(await collect(writeRootfs(planRootfs(tree), this.layers.bodies(app))));
  }

  async settled(): Promise<void> {
    await this.#packing.settled();
    await this.#checkpoints.settled();
  }
}
