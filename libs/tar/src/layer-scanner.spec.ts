import { createHash } from 'node:crypto';
import type { VarveError } from '#core/error';
import { limit } from '#core/limit';
import { rawEntry, type RawEntry, rawTar } from '../../../test/fixture/raw-tar.js';
import { hasDigest, PathCursor, sizeOf } from './layer-entries.js';
import { decodeLayerIndex, encodeLayerIndex, type LayerIndex } from './layer-index.js';
import { LayerScanner } from './layer-scanner.js';

function indexOf(tar: Uint8Array, pieceBytes = tar.length): LayerIndex {
  const scanner = new LayerScanner();
  for (let at = 0; at < tar.length; at += pieceBytes) scanner.push(tar.subarray(at, at + pieceBytes));
  return scanner.finish();
}

function refusalOf(entries: readonly RawEntry[]): unknown[] {
  try {
    indexOf(rawTar(entries));
  } catch (error) {
    const { code, detail } = error as VarveError;
    return [code, detail['rule'], detail['entry']];
  }
  throw new Error('the layer was accepted');
}

function paths({ entries }: LayerIndex): string[] {
  const cursor = new PathCursor(entries);
  return Array.from({ length: entries.count }, () => {
    cursor.next();
    return Buffer.from(cursor.view).toString('latin1');
  });
}

const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');

function digests({ entries }: LayerIndex): (string | null)[] {
  const of = (entry: number): string =>
    Buffer.from(entries.contentDigest.subarray(entry * 32, entry * 32 + 32)).toString('hex');
  return Array.from({ length: entries.count }, (_, entry) => (hasDigest(entries, entry) ? of(entry) : null));
}

const lints = (index: LayerIndex): string[] => index.lints.kept.map(({ rule, path }) => `${rule} ${path}`);

describe('LayerScanner', () => {
  it('keeps every entry in the order of the tar, with its path as it means', () => {
    const index = indexOf(
      rawTar([{ name: './', flag: '5' }, { name: '/b//./x' }, { name: 'b/../a' }, { name: 'b/xy' }]),
    );
    expect(paths(index)).toEqual(['', 'b/x', 'a', 'b/xy']);
    expect(index.tree?.nodeCount).toBe(5);
  });

  it('hashes the content of each file, in whatever pieces it comes', () => {
    const body = 'content '.repeat(1000);
    const tar = rawTar([{ name: 'a', body }, { name: 'empty' }, { name: 'd/', flag: '5' }]);
    for (const pieceBytes of [100, 4096, tar.length]) {
      expect(digests(indexOf(tar, pieceBytes))).toEqual([sha256(body), sha256(''), null]);
    }
  });

  it('hashes a sparse file as it reads, and does not hash holes without end', () => {
    const pax = (size: number): Record<string, string> => ({
      'GNU.sparse.map': '3,2',
      'GNU.sparse.size': String(size),
    });
    const index = indexOf(
      rawTar([
        { name: 's', body: 'ab', pax: pax(8) },
        { name: 'big', body: 'ab', pax: pax(2 ** 33) },
      ]),
    );
    expect(digests(index)).toEqual([sha256('\0\0\0ab\0\0\0'), null]);
    expect(sizeOf(index.entries, 1)).toBe(2 ** 33);
  });

  it('counts holes against what a layer may have', () => {
    const size = String(limit.fileBytesMax);
    const sparse = { body: 'x', pax: { 'GNU.sparse.map': '0,1', 'GNU.sparse.size': size } };
    const entries = ['a', 'b', 'c'].map((name): RawEntry => ({ name, ...sparse }));
    expect(refusalOf(entries)).toEqual(['LIMIT_EXCEEDED', 'layer-too-large', 2]);
  });

  it('is read back as it was, and only as it was', () => {
    const index = indexOf(
      rawTar([
        { name: 'a', body: 'x', uid: 7, pax: { 'SCHILY.xattr.user.k': 'v', mtime: '-5.5' } },
        { name: 'l', flag: '2', link: 'a' },
        { name: 'dev', flag: '3', device: [1, 3] },
        { name: 'd/.wh.gone' },
      ]),
    );
    const bytes = encodeLayerIndex(index);
    expect(decodeLayerIndex(bytes)).toEqual(index);
    // Also from an address that no column could be a view of.
    const shifted = Buffer.concat([Buffer.alloc(3), bytes]).subarray(3);
    expect(decodeLayerIndex(shifted)).toEqual(index);
    for (const at of [0, 9, bytes.length >> 1, bytes.length - 1]) {
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 1;
      expect(() => decodeLayerIndex(flipped)).toThrow(expect.objectContaining({ code: 'CORRUPT' }));
    }
    expect(() => decodeLayerIndex(bytes.subarray(0, -9))).toThrow(expect.objectContaining({ code: 'CORRUPT' }));
  });

  it('has no tree of its own when a link names what only a lower layer can have', () => {
    expect(indexOf(rawTar([{ name: 'b', flag: '1', link: 'a' }])).tree).toBeNull();
    expect(indexOf(rawTar([{ name: 'a' }, { name: 'b', flag: '1', link: 'a' }])).tree).not.toBeNull();
  });

  const refused: [why: string, entries: RawEntry[], code: string, rule: string][] = [
    ['a path too deep', [{ name: 'x', pax: { path: 'a/'.repeat(limit.depthMax + 1) } }], 'LIMIT_EXCEEDED', 'path-too-deep'],
    ['a symlink target too long', [{ name: 'l', flag: '2', pax: { linkpath: 'x'.repeat(4097) } }], 'LAYER_INVALID', 'link-too-long'],
    ['a link to the root', [{ name: 'l', flag: '1', link: './' }], 'LAYER_INVALID', 'link-to-root'],
    ['a link that escapes', [{ name: 'l', flag: '1', link: '../x' }], 'LAYER_INVALID', 'path-escapes'],
    ['a NUL in a name', [{ name: 'x', pax: { 'GNU.sparse.name': 'a\0b' } }], 'LAYER_INVALID', 'nul-in-name'],
    ['a loop of symlinks in a path', [{ name: 'l', flag: '2', link: 'l' }, { name: 'l/x' }], 'LAYER_INVALID', 'symlink-loop'],
    ['a symlink that would make a .wh. directory', [{ name: 'l', flag: '2', link: 'd/.wh.x' }, { name: 'l/f' }], 'LAYER_INVALID', 'reserved-name'],
    ['a symlink that would make a name too long', [{ name: 'l', flag: '2', pax: { linkpath: 'n'.repeat(256) } }, { name: 'l/f' }], 'LAYER_INVALID', 'component-too-long'],
    ['too many attributes', [{ name: 'a', pax: manyXattrs(129) }], 'LAYER_INVALID', 'xattrs-too-large'],
  ]; // prettier-ignore
  it.each(refused)('refuses %s', (_, entries, code, rule) => {
    expect(refusalOf(entries)).toEqual([code, rule, entries.length - 1]);
  });

  const surprising: [what: string, entries: RawEntry[], lints: string[]][] = [
    ['a path twice', [{ name: 'a' }, { name: 'a' }], ['duplicate-path a']],
    ['a marker beside its entry', [{ name: 'd/a' }, { name: 'd/.wh.a' }], ['marker-beside-entry d/.wh.a']],
    ['a marker with content', [{ name: '.wh.a', body: 'x' }], ['marker-not-empty-file .wh.a']],
    ['an opaque root', [{ name: '.wh..wh..opq' }], ['root-opaque ']],
    ['a character device 0:0', [{ name: 'a', flag: '3' }], ['device-zero a']],
    ['attributes of overlay', [{ name: 'a', pax: { 'SCHILY.xattr.trusted.overlay.opaque': 'y' } }], ['overlay-xattr-dropped a']],
    ['records of vendors', [{ name: 'a', pax: { 'MSWINDOWS.rawsd': 'x' } }], ['vendor-record-dropped a']],
    ['names of AUFS', [{ name: '.wh..wh.plnk/1.2' }], ['aufs-private .wh..wh.plnk/1.2']],
    ['a link that changes its file', [{ name: 'a' }, { name: 'b', flag: '1', link: 'a', uid: 1 }], ['link-metadata-differs b']],
    ['a user attribute on a symlink', [{ name: 'l', flag: '2', link: 'x', pax: { 'SCHILY.xattr.user.k': 'v' } }], ['user-xattr-on-special l']],
    ['a directory with a size', [{ name: 'd/', flag: '5', size: 9 }], ['size-ignored d']],
    ['nothing', [{ name: 'd/', flag: '5' }, { name: 'd/a' }, { name: 'd/.wh.b' }], []],
  ]; // prettier-ignore
  it.each(surprising)('notes %s', (_, entries, expected) => {
    expect(lints(indexOf(rawTar(entries)))).toEqual(expected);
  });

  it('notes the values of a global header', () => {
    expect(lints(indexOf(Buffer.concat([globalComment(), rawTar([{ name: 'a' }])])))).toEqual([
      'global-header-ignored ',
    ]);
  });

  it('notes a file of more names than ext4 gives it', () => {
    const links = Array.from({ length: 65_000 }, (_, i) => ({ name: `l${i}`, flag: '1', link: 'a' }));
    expect(lints(indexOf(rawTar([{ name: 'a' }, ...links])))).toEqual(['many-links ']);
  });

  it('keeps a thousand lints and counts the others', () => {
    const index = indexOf(rawTar(Array.from({ length: 1500 }, () => ({ name: 'a' }))));
    expect([index.lints.kept.length, index.lints.total]).toEqual([1000, 1499]);
  });

  it('refuses links that make every path a long way, soon', () => {
    const long = 'x/../'.repeat(800);
    const links = Array.from({ length: 39 }, (_, i): RawEntry => ({
      name: `l${i}`,
      flag: '2',
      pax: { linkpath: `${long}l${i + 1}` },
    }));
    const files = Array.from({ length: 2000 }, (_, i): RawEntry => ({ name: `l0/f${i}` }));
    const [code, rule] = refusalOf([{ name: 'x/', flag: '5' }, ...links, { name: 'l39/', flag: '5' }, ...files]);
    expect([code, rule]).toEqual(['LIMIT_EXCEEDED', 'too-many-link-steps']);
  });
});

function manyXattrs(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`SCHILY.xattr.user.${i}`, 'v']));
}

function globalComment(): Buffer {
  return rawEntry({ name: 'g', flag: 'g', body: '18 comment=a note\n' });
}
