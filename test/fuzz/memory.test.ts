import { gzipSync, zstdCompressSync } from 'node:zlib';
import { archiveOf } from '../fixture/archive-builder.js';
import { entryBlocks } from '../oracle/tar-forms.js';
import { takeInChild as take } from './take-in-child.js';

const mebibyte = 2 ** 20;
const say = (text: string): Buffer => Buffer.from(text, 'latin1');
const end = Buffer.alloc(1024);

function* repeated(piece: Buffer, times: number): Generator<Buffer> {
  for (let i = 0; i < times; i += 1) yield piece;
}

describe('decompression bombs', () => {
  const zeros = Buffer.alloc(32 * mebibyte);
  it.each([
    ['gzip, 32 GiB of zeros', 'layer', () => repeated(gzipSync(zeros), 1024)],
    ['zstd, 32 GiB of zeros', 'layer', () => repeated(zstdCompressSync(zeros), 1024)],
    ['gzip around a whole archive', 'archive', () => repeated(gzipSync(zeros), 1024)],
    ['zstd in a gzip layer of an archive that is zstd itself', 'archive', () => [nestedBomb(zeros)]],
  ] as const)('%s: are refused by their ratio, in little memory', async (_title, kind, bytes) => {
    const { code, detail, peakBytes } = await take(kind, bytes());
    expect({ code, limit: detail?.limit }).toEqual({ code: 'LIMIT_EXCEEDED', limit: 'inflateRatioMax' });
    expect(peakBytes).toBeLessThan(300 * mebibyte);
  });

  it('gzip in gzip: is no layer, for a layer is inflated once', async () => {
    const { code } = await take('layer', [gzipSync(gzipSync(zeros))]);
    expect(code).toBe('LAYER_INVALID');
  });
});

it('a million PAX records, in headers that are large but allowed: are read in little memory', async () => {
  const pax = Array.from({ length: 50_000 }, (_, i): [string, Buffer] => [`a.${i}`, say('v')]);
  const entry = Buffer.concat(entryBlocks({ name: say('f'), typeFlag: '0', pax }));
  const { entries, peakBytes } = await take('layer', [...repeated(entry, 20), end]);
  expect(entries).toBe(20);
  expect(peakBytes).toBeLessThan(300 * mebibyte);
});

it('hardlinks that each change one attribute of a megabyte of them: are taken in little memory', async () => {
  const most = Array.from({ length: 100 }, (_, i): [string, Buffer] => [
    `SCHILY.xattr.user.a${i}`,
    Buffer.alloc(10_000, 1),
  ]);
  const first = entryBlocks({ name: say('f'), typeFlag: '0', pax: most });
  const links = Array.from({ length: 5000 }, (_, i) =>
    entryBlocks({ name: say(`l${i}`), typeFlag: '1', link: say('f'), pax: [['SCHILY.xattr.user.n', say(String(i))]] }),
  );
  const { entries, peakBytes } = await take('layer', [...first, ...links.flat(), end]);
  expect(entries).toBe(5001);
  expect(peakBytes).toBeLessThan(300 * mebibyte);
});

it('sparse files of 64 GiB each: are refused when a layer of them is too large', async () => {
  const sparse = (i: number): Buffer =>
    Buffer.concat(
      entryBlocks({
        name: say(`s${i}`),
        typeFlag: '0',
        pax: [
          ['GNU.sparse.realsize', say(String(60 * 2 ** 30))],
          ['GNU.sparse.map', say('0,0')],
        ],
      }),
    );
  const { code, detail, peakBytes } = await take('layer', [sparse(0), sparse(1), sparse(2), end]);
  expect({ code, rule: detail?.rule, entry: detail?.entry }).toEqual({
    code: 'LIMIT_EXCEEDED',
    rule: 'layer-too-large',
    entry: 2,
  });
  expect(peakBytes).toBeLessThan(300 * mebibyte);
});

/** zstd of a tar that has a gzip of zeros where its layer is. */
function nestedBomb(zeros: Buffer): Buffer {
  const layer = Buffer.concat([...repeated(gzipSync(zeros), 16)]);
  return zstdCompressSync(archiveOf([{ name: `${'a'.repeat(64)}/layer.tar`, body: layer }]));
}
