import { digestOf, type DiffId } from '#core/digest';
import { VarveError } from '#core/error';
import { emptyStack, stackOfLayers } from '#core/layer-stack';
import { parseRepositoryName } from '#core/name';
import type { LayerIndex } from '#tar/layer-index';
import { LayerScanner } from '#tar/layer-scanner';
import { type RawEntry, rawTar } from '../../../test/fixture/raw-tar.js';
import { emptyTree } from './rootfs-tree.js';
import { planRootfs } from './rootfs-plan.js';
import { TreeStore } from './tree-store.js';

const repo = parseRepositoryName('app');

function layer(...entries: readonly RawEntry[]): { diffId: DiffId; index: LayerIndex } {
  const tar = rawTar(entries);
  const scanner = new LayerScanner();
  scanner.push(tar);
  return { diffId: digestOf(tar) as DiffId, index: scanner.finish() };
}

/** A store of these layers that tells which indexes it was asked for. */
function storeOf(
  layers: readonly ReturnType<typeof layer>[],
  cacheBytes = 1 << 20,
): { trees: TreeStore; loaded: DiffId[] } {
  const loaded: DiffId[] = [];
  const loadIndex = async (_: unknown, diffId: DiffId): Promise<LayerIndex> => {
    loaded.push(diffId);
    const found = layers.find((one) => one.diffId === diffId);
    if (!found) throw new VarveError('BLOB_UNKNOWN', `no layer ${diffId}`);
    return found.index;
  };
  return { trees: new TreeStore({ loadIndex, cacheBytes }), loaded };
}

const [a, b, c] = ['a', 'b', 'c'].map((name) => layer({ name, body: name })) as [
  ReturnType<typeof layer>,
  ReturnType<typeof layer>,
  ReturnType<typeof layer>,
];

describe('TreeStore', () => {
  it('gives the empty tree for a stack without layers', async () => {
    expect(await storeOf([]).trees.tree(repo, emptyStack)).toBe(emptyTree);
  });

  it('makes a tree once, also for callers at one time', async () => {
    const { trees, loaded } = storeOf([a, b]);
    const stack = [a.diffId, b.diffId];
    const [one, other] = await Promise.all([
      trees.tree(repo, stackOfLayers(stack)),
      trees.tree(repo, stackOfLayers(stack)),
    ]);
    expect(one).toBe(other);
    expect(await trees.tree(repo, stackOfLayers(stack))).toBe(one);
    expect(planRootfs(one)).toBe(planRootfs(one));
    expect(loaded).toEqual(stack);
  });

  it('starts from the longest part of a stack that it has', async () => {
    const { trees, loaded } = storeOf([a, b, c]);
    await trees.tree(repo, stackOfLayers([a.diffId, b.diffId]));
    loaded.length = 0;
    expect((await trees.tree(repo, stackOfLayers([a.diffId, b.diffId, c.diffId]))).nodeCount).toBe(4);
    expect(loaded).toEqual([c.diffId]);
  });

  it('lets go of the tree that was used longest ago', async () => {
    const { trees, loaded } = storeOf([a, b, c], 1500);
    const one = await trees.tree(repo, stackOfLayers([a.diffId]));
    await trees.tree(repo, stackOfLayers([b.diffId]));
    for (let round = 0; round < 40; round++)
      await trees.tree(repo, stackOfLayers(Array.from({ length: round + 1 }, () => c.diffId)));
    loaded.length = 0;
    expect(await trees.tree(repo, stackOfLayers([a.diffId]))).not.toBe(one);
    expect(loaded).toEqual([a.diffId]);
  });

  it('lists the layers that nodes are from, not those of a whole long history', async () => {
    const names = ['x', 'y', 'z'];
    const turns = Array.from({ length: 130 }, (_, i) => layer({ name: names[i % 3]!, body: `${i}` }));
    const tree = await storeOf([a, ...turns]).trees.tree(
      repo,
      stackOfLayers([a, ...turns].map(({ diffId }) => diffId)),
    );
    const from = (name: string): number => {
      const text = Buffer.from(tree.names).toString();
      return tree.layer[text.indexOf(name) + 1]!;
    };
    expect(tree.depth).toBe(131);
    expect(tree.layers.length).toBeLessThan(70);
    expect(['a', 'x', 'y', 'z'].map((name) => tree.layerPlaces[from(name)])).toEqual([0, 130, 128, 129]);
    expect(tree.layers[from('x')]).toBe(turns[129]!.diffId);
  });

  it('plans a layer that is not stored', async () => {
    const { trees, loaded } = storeOf([a]);
    expect((await trees.treeWith(repo, stackOfLayers([a.diffId]), b)).nodeCount).toBe(3);
    expect(loaded).toEqual([a.diffId]);
  });

  it('names the layer that has no meaning on its stack, and tries again the next time', async () => {
    const dangling = layer({ name: 'x', flag: '1', link: 'a' });
    const { trees } = storeOf([a, b, dangling]);
    for (let round = 0; round < 2; round++) {
      const refused = await trees
        .tree(repo, stackOfLayers([b.diffId, dangling.diffId]))
        .catch((error: unknown) => error);
      expect(refused).toMatchObject({
        code: 'LAYER_INVALID',
        detail: { rule: 'dangling-link', layer: dangling.diffId, entry: 0 },
      });
    }
    expect((await trees.tree(repo, stackOfLayers([a.diffId, dangling.diffId]))).nodeCount).toBe(3);
  });

  it('passes on what the loader throws', async () => {
    const { trees } = storeOf([a]);
    await expect(trees.tree(repo, stackOfLayers([a.diffId, c.diffId]))).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
  });
});
