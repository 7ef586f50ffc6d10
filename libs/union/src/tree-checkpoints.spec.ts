import { openMemoryBlobStore } from '#adapters/memory/memory-blob-store';
import { digestOf, type DiffId } from '#core/digest';
import { layersOfStack, stackOfLayers } from '#core/layer-stack';
import { parseRepositoryName } from '#core/name';
import type { BlobStore, DerivedAddress } from '#ports/blob-store';
import { readBlob } from '#ports/read-blob';
import type { LayerIndex } from '#tar/layer-index';
import { LayerScanner } from '#tar/layer-scanner';
import { type RawEntry, rawTar } from '../../../test/fixture/raw-tar.js';
import type { RootfsTree } from './rootfs-tree.js';
import { TreeCheckpoints } from './tree-checkpoints.js';
import { decodeTree, encodeTree } from './tree-codec.js';
import { TreeStore } from './tree-store.js';

const repo = parseRepositoryName('app');

interface Layer {
  readonly diffId: DiffId;
  readonly index: LayerIndex;
}

function layer(...entries: readonly RawEntry[]): Layer {
  const tar = rawTar(entries);
  const scanner = new LayerScanner();
  scanner.push(tar);
  return { diffId: digestOf(tar) as DiffId, index: scanner.finish() };
}

/** Every kind of node and every rare column. */
const base = layer(
  { name: 'd/', flag: '5', mode: 0o1777, uid: 7, gid: 70_000 },
  { name: 'd/file', body: 'body', pax: { mtime: '-5.25', 'SCHILY.xattr.user.a': 'b' } },
  { name: 'd/link', flag: '2', link: 'file' },
  { name: 'd/hard', flag: '1', link: 'd/file' },
  { name: 'd/device', flag: '3', device: [5, 1] },
);
const grown = Array.from({ length: 200 }, (_, i) => layer({ name: `f${i % 90}`, body: `body ${i}` }));

/** A process of its own on these blobs. */
function processOn(blobs: BlobStore, layers: readonly Layer[]) {
  const loaded: DiffId[] = [];
  const checkpoints = new TreeCheckpoints(blobs);
  const trees = new TreeStore({
    loadIndex: async (_, diffId) => {
      loaded.push(diffId);
      return layers.find((one) => one.diffId === diffId)!.index;
    },
    cacheBytes: 1 << 20,
    checkpoints,
  });
  const idsOf = (depth: number) => layers.slice(0, depth).map(({ diffId }) => diffId);
  const tree = (depth: number) => trees.tree(repo, stackOfLayers(idsOf(depth)));
  return { trees, checkpoints, loaded, tree, stack: (depth: number) => stackOfLayers(idsOf(depth)) };
}

async function written(blobs: BlobStore): Promise<DerivedAddress[]> {
  const found: DerivedAddress[] = [];
  for await (const { address } of blobs.derived('tree')) found.push(address);
  return found;
}

/** Puts other bytes in the place of a checkpoint. */
async function replace(blobs: BlobStore, address: DerivedAddress, change: (bytes: Buffer) => Buffer): Promise<void> {
  const reader = await blobs.open(address);
  const bytes = Buffer.from(await readBlob(reader));
  await reader.close();
  const staged = await blobs.stageDerived();
  await staged.write(change(bytes));
  await staged.seal(address);
}

describe('the tree codec', () => {
  it('reads back the tree it wrote', async () => {
    const { tree, stack } = processOn(openMemoryBlobStore(), [base, ...grown]);
    const [a, b] = [digestOf('one pack'), digestOf('another')];
    const wanted = { stack: stack(20), tree: await tree(20), packs: [a, b], looseLayers: 7 };
    const read = await decodeTree(Buffer.concat([...encodeTree(wanted)]), wanted.stack.chainId);
    expect(read.tree).toEqual(wanted.tree);
    expect(read).toMatchObject({ packs: [a, b], looseLayers: 7 });
    expect(read.stack).toMatchObject({ chainId: wanted.stack.chainId, depth: 20 });
    expect(layersOfStack(read.stack)).toEqual(layersOfStack(wanted.stack));
  });
});

describe('TreeCheckpoints', () => {
  const layers = [base, ...grown];

  it('spares the next process the merges of the last one', async () => {
    const blobs = openMemoryBlobStore();
    const first = processOn(blobs, layers);
    const tree = await first.tree(150);
    await first.checkpoints.settled();
    const next = processOn(blobs, layers);
    expect(await next.tree(150)).toEqual(tree);
    expect(next.loaded).toEqual([]);
    expect(await next.tree(153)).toEqual(await first.tree(153));
    expect(next.loaded).toHaveLength(3);
  });

  it('writes a tree every 64 layers while a branch grows, and not for each commit', async () => {
    const blobs = openMemoryBlobStore();
    const { trees, stack, checkpoints } = processOn(blobs, layers);
    for (const [depth, added] of layers.entries()) await trees.treeWith(repo, stack(depth), added);
    await checkpoints.settled();
    const chains = (await written(blobs)).map(({ key }) => key);
    expect(chains.toSorted()).toEqual([64, 128, 192].map((depth) => stack(depth).chainId).toSorted());
    const next = processOn(blobs, layers);
    await next.tree(201);
    expect(next.loaded).toHaveLength(9);
  });

  it('loses only time when all are deleted', async () => {
    const blobs = openMemoryBlobStore();
    const first = processOn(blobs, layers);
    const tree = await first.tree(100);
    await first.checkpoints.settled();
    for (const address of await written(blobs)) await blobs.delete(address);
    const next = processOn(blobs, layers);
    expect(await next.tree(100)).toEqual(tree);
    expect(next.loaded).toHaveLength(100);
    await next.checkpoints.settled();
    expect(await written(blobs)).toHaveLength(1);
  });

  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['cut short', (bytes) => bytes.subarray(0, -100)],
    ['empty', () => Buffer.alloc(0)],
    ['changed in one bit', (bytes) => ((bytes[bytes.length >> 1]! ^= 1), bytes)],
    ['of something else', () => Buffer.from('not a tree, though as long as the head of one would be')],
  ])('takes no notice of one that is %s, and makes it again', async (_, change) => {
    const blobs = openMemoryBlobStore();
    const first = processOn(blobs, layers);
    const tree = await first.tree(100);
    await first.checkpoints.settled();
    const [address] = await written(blobs);
    await replace(blobs, address!, change);
    const next = processOn(blobs, layers);
    expect(await next.tree(100)).toEqual(tree);
    expect(next.loaded).toHaveLength(100);
    await next.checkpoints.settled();
    const third = processOn(blobs, layers);
    await third.tree(100);
    expect(third.loaded).toEqual([]);
  });

  it('tells the stack of a tree that is written, and of no other', async () => {
    const blobs = openMemoryBlobStore();
    const first = processOn(blobs, layers);
    await first.tree(100);
    await first.checkpoints.settled();
    const { trees, stack } = processOn(blobs, layers);
    const known = await trees.knownStack(stack(100).chainId, 100);
    expect(known?.layers).toEqual(layers.slice(0, 100).map(({ diffId }) => diffId));
    expect(await trees.knownStack(stack(99).chainId, 99)).toBeUndefined();
  });

  it('gives the tree also where nothing can be written', async () => {
    const blobs = openMemoryBlobStore();
    const { trees, stack, checkpoints } = processOn(blobs, layers);
    const full = new TreeCheckpoints({
      open: (address) => blobs.open(address),
      stageDerived: async () => {
        throw new Error('no room');
      },
    });
    const store = new TreeStore({
      loadIndex: async (_, diffId) => layers.find((one) => one.diffId === diffId)!.index,
      cacheBytes: 1 << 20,
      checkpoints: full,
    });
    const tree: RootfsTree = await store.tree(repo, stack(100));
    await full.settled();
    expect(tree).toEqual(await trees.tree(repo, stack(100)));
    await checkpoints.settled();
    expect(await written(blobs)).toHaveLength(1);
  });
});
