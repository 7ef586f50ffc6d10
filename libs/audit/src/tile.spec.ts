import { leafHash } from './merkle.js';
import { decodeHashes, encodeBundle, encodeHashes, parseTilePath, tileOf, tilePath } from './tile.js';

describe('the path of a tile', () => {
  it.each([
    [{ level: 0, index: 0, width: 256 }, 'tile/0/000'],
    [{ level: 0, index: 1234067, width: 256 }, 'tile/0/x001/x234/067'],
    [{ level: 2, index: 5, width: 112 }, 'tile/2/005.p/112'],
    [{ level: 'entries', index: 1000, width: 1 }, 'tile/entries/x001/000.p/1'],
  ] as const)('of %j is %s', (address, path) => {
    expect(tilePath(address)).toBe(path);
    expect(parseTilePath(path)).toEqual(address);
  });

  it.each([
    'tile/0/0',
    'tile/0/x000/000',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/01',
    'tile/00/000',
    'tile/../key',
    'tile/0/1000',
    '',
  ])('is not %j', (path) => {
    expect(() => parseTilePath(path)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
  });
});

describe('a tile', () => {
  it('holds the hashes of eight levels, the lowest of them in full', () => {
    expect(tileOf({ level: 3, index: 33 })).toEqual({ level: 0, index: 1, first: 8, count: 8 });
    expect(tileOf({ level: 8, index: 300 })).toEqual({ level: 1, index: 1, first: 44, count: 1 });
  });

  it('is its hashes, one after the other', () => {
    const hashes = ['a', 'b', 'c'].map((text) => leafHash(Buffer.from(text)));

    expect(decodeHashes(encodeHashes(hashes))).toEqual(hashes);
  });

  it('of entries has each after its length', () => {
    expect(Buffer.from(encodeBundle([Buffer.from('ab'), Buffer.from('c')])).toString('hex')).toBe('00026162000163');
  });
});
