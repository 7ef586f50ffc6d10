import * as fc from 'fast-check';
import { digestOf, type DiffId } from '#core/digest';
import { isVarveError } from '#core/error';
import { stackOfLayers } from '#core/layer-stack';
import { parseRepositoryName } from '#core/name';
import { type Change, changesOf } from '#query/changes';
import { ContentDigests } from '#query/content-digests';
import { NodePaths } from '#query/node-paths';
import { entryOf, type TreeEntry } from '#query/tree-entry';
import type { LayerIndex } from '#tar/layer-index';
import { LayerScanner } from '#tar/layer-scanner';
import type { RootfsTree } from '#union/rootfs-tree';
import { TreeStore } from '#union/tree-store';
import { collect } from '../fixture/bytes-random.js';
import { type RandomLayer, randomStack, tarOf } from './random-layer.js';

/** Laws of a difference, on random stacks: what it tells is what two whole listings tell, compared path by path. */
const repo = parseRepositoryName('laws');
const runs = { numRuns: 400 };

interface World {
  readonly trees: TreeStore;
  readonly digests: ContentDigests;
  tree(layers: readonly RandomLayer[]): Promise<RootfsTree>;
}

function world(): World {
  const indexes = new Map<DiffId, LayerIndex>();
  const trees = new TreeStore({ loadIndex: async (_, diffId) => indexes.get(diffId)!, cacheBytes: 1 << 20 });
  return {
    trees,
    digests: new ContentDigests({ index: async (_, diffId) => indexes.get(diffId)! }, repo),
    tree: (layers) => {
      const stack = layers.map((layer) => {
        const tar = tarOf(layer);
        const scanner = new LayerScanner();
        scanner.push(tar);
        const diffId = digestOf(tar) as DiffId;
        indexes.set(diffId, scanner.finish());
        return diffId;
      });
      return trees.tree(repo, stackOfLayers(stack));
    },
  };
}

/** Every path of a tree, with its digest. */
async function listing(tree: RootfsTree, digests: ContentDigests): Promise<Map<string, TreeEntry>> {
  const entries = new Map<string, TreeEntry>();
  const paths = new NodePaths(tree, 0, Buffer.alloc(0));
  for (let node = 0; node < tree.nodeCount; node++) {
    await digests.load(tree, node);
    const path = node === 0 ? Buffer.alloc(0) : paths.of(node);
    entries.set(path.toString('latin1'), entryOf(tree, node, path, digests.digest(tree, node)));
  }
  return entries;
}

function classOf(before: TreeEntry | undefined, after: TreeEntry | undefined, times: boolean): string | undefined {
  if (!before || !after) return before ? 'D' : 'A';
  if (before.type !== after.type) return 'T';
  const content = ({ sha256, link, device }: TreeEntry) => JSON.stringify([sha256, link?.toString('hex'), device]);
  const metadata = ({ mode, uid, gid, xattrs }: TreeEntry) => JSON.stringify([mode, uid, gid, [...xattrs]]);
  const time = ({ mtimeSeconds, mtimeNanos }: TreeEntry) => `${mtimeSeconds}.${mtimeNanos}`;
  if (content(before) !== content(after)) return 'M';
  if (metadata(before) !== metadata(after) || (times && time(before) !== time(after))) return 'm';
  return undefined;
}

async function differenceOf(
  { digests }: World,
  before: RootfsTree,
  after: RootfsTree,
  times: boolean,
): Promise<Change[]> {
  const start = { path: Buffer.alloc(0), before: 0, after: 0 };
  return collect(changesOf({ before, after, digests, times, shadowsFrom: null }, [start]));
}

/** Runs a law on the trees of two stacks that may share their lower layers; stacks without a meaning are passed over. */
function law(check: (world: World, before: RootfsTree, after: RootfsTree, times: boolean) => Promise<void>) {
  const stacks = fc.tuple(randomStack, randomStack, fc.boolean(), fc.boolean());
  return fc.asyncProperty(stacks, async ([lower, upper, isApart, times]) => {
    const made = world();
    try {
      const before = await made.tree(lower);
      const after = await made.tree(isApart ? upper : [...lower, ...upper]);
      await check(made, before, after, times);
    } catch (error) {
      if (!isVarveError(error, 'LAYER_INVALID')) throw error;
    }
  });
}

it('is what two whole listings tell, path by path, in the order of the canonical tar', async () => {
  let compared = 0;
  const check = law(async (made, before, after, times) => {
    const [a, b] = [await listing(before, made.digests), await listing(after, made.digests)];
    const told = await differenceOf(made, before, after, times);
    const paths = told.map((change) => (change.after ?? change.before)!.path.toString('latin1'));
    const all = [...new Set([...a.keys(), ...b.keys()])];
    const expected = all.filter((path) => classOf(a.get(path), b.get(path), times) !== undefined);
    expect(new Set(paths)).toEqual(new Set(expected));
    expect(paths.length).toBe(expected.length);
    for (const [at, change] of told.entries()) {
      expect(change.class).toBe(classOf(a.get(paths[at]!), b.get(paths[at]!), times));
    }
    const inOrder = paths.map((path) => path.split('/'));
    for (let at = 1; at < inOrder.length; at++) expect(isBefore(inOrder[at - 1]!, inOrder[at]!)).toBe(true);
    compared += told.length;
  });
  await fc.assert(check, runs);
  expect(compared).toBeGreaterThan(100);
});

it('put on the first listing gives the second', async () => {
  const check = law(async (made, before, after) => {
    const [a, b] = [await listing(before, made.digests), await listing(after, made.digests)];
    for (const change of await differenceOf(made, before, after, true)) {
      if (change.after) a.set(change.after.path.toString('latin1'), change.after);
      else a.delete(change.before!.path.toString('latin1'));
    }
    const plain = (entries: Map<string, TreeEntry>) =>
      new Map([...entries].map(([path, { layer: _layer, ...entry }]) => [path, entry]));
    expect(plain(a)).toEqual(plain(b));
  });
  await fc.assert(check, runs);
});

it('of a tree with itself is nothing', async () => {
  const check = law(async (made, before) => {
    expect(await differenceOf(made, before, before, true)).toEqual([]);
  });
  await fc.assert(check, { numRuns: 50 });
});

it('paths are the same whatever is passed over', async () => {
  const check = law(async (made, tree) => {
    const all = [...(await listing(tree, made.digests)).keys()];
    for (const step of [2, 3, 5]) {
      const paths = new NodePaths(tree, 0, Buffer.alloc(0));
      for (let node = step; node < tree.nodeCount; node += step)
        expect(paths.of(node).toString('latin1')).toBe(all[node]);
    }
  });
  await fc.assert(check, { numRuns: 100 });
});

/** Components by their bytes, a directory before what is in it. */
function isBefore(a: readonly string[], b: readonly string[]): boolean {
  const at = a.findIndex((component, i) => component !== b[i]);
  if (at === -1) return a.length < b.length || a[0] === '';
  return b[at] !== undefined && a[at]! < b[at];
}
