import { digestOf, type DiffId } from '#core/digest';
import { LayerScanner } from '#tar/layer-scanner';
import { type RawEntry, rawTar } from '../../../test/fixture/raw-tar.js';
import { mergeLayer } from './merge-trees.js';
import { emptyTree, type RootfsTree, sharedBit, treeBytes } from './rootfs-tree.js';
import { planRootfs } from './rootfs-plan.js';
import { TreePath } from './tree-path.js';

function treeOf(...layers: readonly (readonly RawEntry[])[]): RootfsTree {
  return layers.reduce((lower, entries) => {
    const tar = rawTar(entries);
    const scanner = new LayerScanner();
    scanner.push(tar);
    return mergeLayer(lower, { diffId: digestOf(tar) as DiffId, index: scanner.finish() });
  }, emptyTree);
}

function pathsOf(tree: RootfsTree): string[] {
  const path = new TreePath(tree, planRootfs(tree).parent);
  return Array.from({ length: tree.nodeCount - 1 }, (_, at) => {
    path.go(at + 1);
    return path.bytes.toString('latin1', 0, path.length);
  });
}

const file = (name: string, more: Partial<RawEntry> = {}): RawEntry => ({ name, body: 'x', ...more });
const directory = (name: string, more: Partial<RawEntry> = {}): RawEntry => ({
  name: `${name}/`,
  flag: '5',
  mode: 0o755,
  ...more,
});
const link = (name: string, target: string): RawEntry => ({ name, flag: '1', link: target });

describe('mergeLayer', () => {
  it('orders by the bytes of components, so that / is below every other byte', () => {
    expect(pathsOf(treeOf([file('a.b'), file('a/z'), file('a-c'), file('a/!')], [file('a/m')]))).toEqual([
      'a/', 'a/!', 'a/m', 'a/z', 'a-c', 'a.b',
    ]); // prettier-ignore
  });

  it('leaves the tree below as it was', () => {
    const lower = treeOf([directory('d'), file('d/a'), file('e')]);
    const before = structuredClone(lower);
    const scanner = new LayerScanner();
    scanner.push(rawTar([{ name: 'd/.wh.a' }, link('f', 'e'), file('d/b', { uid: 7 })]));
    mergeLayer(lower, { diffId: digestOf('upper') as DiffId, index: scanner.finish() });
    expect(lower).toEqual(before);
  });

  it('keeps an inode of a lower layer one inode when a layer gives it another name', () => {
    const tree = treeOf([file('a'), file('other')], [link('b', 'a')]);
    const isShared = pathsOf(tree).map((_, at) => (tree.kind[at + 1]! & sharedBit) !== 0);
    expect(isShared).toEqual([true, true, false]);
    expect([tree.layer[1], tree.entry[1]]).toEqual([tree.layer[2], tree.entry[2]]);
  });

  it('forgets sets of extended attributes that no node has any more', () => {
    const withXattr = (value: string): RawEntry[] => [file('a', { pax: { 'SCHILY.xattr.user.k': value } })];
    const history = Array.from({ length: 50 }, (_, i) => withXattr(`value ${i}`));
    expect(treeOf(...history).xattrSets.xattrEnd.length).toBeLessThan(5);
  });

  it('binds a chain of forward links in the worst order in time', () => {
    const links = Array.from({ length: 20_000 }, (_, i) => link(`l${i}`, `l${i + 1}`));
    expect(treeOf([...links, file('l20000')]).nodeCount).toBe(20_002);
  });

  it('takes less than 50 bytes a path beside its name', () => {
    const tree = treeOf(Array.from({ length: 10_000 }, (_, i) => file(`d${i % 100}/f${i}`, { uid: i })));
    expect((treeBytes(tree) - tree.names.length) / tree.nodeCount).toBeLessThan(50);
  });

  const surprising: [what: string, lower: RawEntry[], upper: RawEntry[], lints: string[]][] = [
    ['a directory over a symlink', [{ name: 'lib', flag: '2', link: 'usr/lib' }], [file('lib/x')], ['replaces-lower-symlink lib']],
    ['a directory over a nested symlink', [{ name: 'd/l', flag: '2', link: 'x' }], [directory('d/l')], ['replaces-lower-symlink d/l']],
    ['a path through a file', [file('p')], [file('p/x')], ['file-replaced-by-implied-directory p']],
    ['a whiteout in nothing', [file('a')], [{ name: 'no/.wh.x' }], ['marker-parent-missing no/x']],
    ['an opaque nothing', [file('a')], [{ name: 'no/.wh..wh..opq' }], ['marker-parent-missing no']],
    ['a link to a lower layer', [file('a')], [link('b', 'a')], ['cross-layer-link b']],
    ['a link to what stands behind it', [], [link('b', 'a'), file('a')], ['forward-link b']],
    ['nothing', [directory('d'), file('d/a')], [directory('d'), { name: 'd/.wh.a' }, { name: 'd/.wh.nope' }], []],
  ]; // prettier-ignore
  it.each(surprising)('notes %s', (_, lower, upper, expected) => {
    expect(treeOf(lower, upper).lints.kept.map(({ rule, path }) => `${rule} ${path}`)).toEqual(expected);
  });

  it('names the symlink that a directory replaces', () => {
    const { lints } = treeOf([{ name: 'lib', flag: '2', link: 'usr/lib' }], [file('lib/x')]);
    expect(lints.kept[0]!.note).toContain('"usr/lib"');
  });
});
