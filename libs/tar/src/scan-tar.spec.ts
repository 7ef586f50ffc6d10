import type { VarveError } from '#core/error';
import { limit } from '#core/limit';
import { rawEntry, type RawEntry, rawTar } from '../../../test/fixture/raw-tar.js';
import { TarScanner } from './scan-tar.js';
import type { TarHeader } from './tar-entry.js';

interface Scanned {
  readonly header: TarHeader;
  readonly body: string;
}

function scan(tar: Uint8Array, pieceBytes = tar.length): Scanned[] {
  const scanned: { header: TarHeader; body: string }[] = [];
  const scanner = new TarScanner({
    entry: (header) => scanned.push({ header, body: '' }),
    body: (bytes) => (scanned.at(-1)!.body += Buffer.from(bytes).toString('latin1')),
    end: () => {},
  });
  for (let at = 0; at < tar.length; at += pieceBytes) scanner.push(tar.subarray(at, at + pieceBytes));
  scanner.finish();
  return scanned;
}

function refusalOf(tar: Uint8Array): { code: string; entry: unknown; offset: unknown; rule: unknown } {
  try {
    scan(tar);
  } catch (error) {
    const { code, detail } = error as VarveError;
    return { code, entry: detail['entry'], offset: detail['offset'], rule: detail['rule'] };
  }
  throw new Error('the tar was accepted');
}

const withoutEnd = (entries: readonly RawEntry[]): Buffer => Buffer.concat(entries.map(rawEntry));

describe('TarScanner', () => {
  it('tells where the header and the bytes of an entry stand', () => {
    const [first, second] = scan(
      rawTar([
        { name: 'a', body: 'x'.repeat(600) },
        { name: 'b', body: 'y', pax: { mtime: '1.5' } },
      ]),
    );
    expect(first!.header).toMatchObject({ index: 0, offset: 0, dataOffset: 512, size: 600 });
    expect(second!.header).toMatchObject({
      index: 1,
      offset: 2560,
      dataOffset: 3072,
      size: 1,
      mtimeNanos: 500_000_000,
    });
    expect(second!.body).toBe('y');
  });

  it('gives a body in one piece when it comes in one', () => {
    const pieces: number[] = [];
    const scanner = new TarScanner({ entry: () => {}, body: ({ length }) => pieces.push(length), end: () => {} });
    scanner.push(rawTar([{ name: 'a', body: 'x'.repeat(5000) }]));
    scanner.finish();
    expect(pieces).toEqual([5000]);
  });

  it('reads the same, whatever the pieces', () => {
    const tar = rawTar([
      { name: 'a', body: 'content', pax: { path: 'long/'.repeat(40) } },
      { name: 'd/', flag: '5' },
    ]);
    const whole = scan(tar);
    for (const pieceBytes of [1, 7, 511, 512, 513]) expect(scan(tar, pieceBytes)).toEqual(whole);
  });

  it('counts an octal size of up to 12 digits, and refuses a binary one that no file has', () => {
    const huge = rawEntry({ name: 'a' });
    huge.write('\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff', 124, 'latin1');
    expect(refusalOf(withSum(huge))).toEqual({ code: 'LIMIT_EXCEEDED', entry: 0, offset: 0, rule: 'file-too-large' });
  });

  it('refuses an extended header over its limit before it is read', () => {
    const header = rawEntry({ name: 'x', flag: 'x', size: limit.paxBytesMax + 1 });
    expect(refusalOf(header)).toMatchObject({ code: 'LIMIT_EXCEEDED', rule: 'extended-header-too-large' });
  });

  const numbers: [text: string, why: string][] = [
    ['+000644', 'a sign'],
    ['00 0644', 'a space inside'],
    ['0o00644', 'a prefix'],
    ['0000648', 'a digit that is not octal'],
  ];
  it.each(numbers)('refuses the mode %j: %s', (text) => {
    const header = rawEntry({ name: 'a' });
    header.write(text, 100, 'latin1');
    expect(refusalOf(withSum(header))).toMatchObject({ code: 'LAYER_INVALID', rule: 'bad-number' });
  });

  it.each([
    ['lines out of order', { 'GNU.sparse.numbytes': '1', 'GNU.sparse.offset': '0', 'GNU.sparse.size': '9' }, 'x'],
    ['no size', { 'GNU.sparse.map': '0,1' }, 'x'],
    ['a piece over the end', { 'GNU.sparse.map': '9,2', 'GNU.sparse.size': '10' }, 'xx'],
    ['pieces that overlap', { 'GNU.sparse.map': '0,2,1,2', 'GNU.sparse.size': '10' }, 'xxxx'],
    ['pieces that want more bytes than are stored', { 'GNU.sparse.map': '0,5', 'GNU.sparse.size': '10' }, 'xx'],
    ['stored bytes that no piece names', { 'GNU.sparse.map': '0,1', 'GNU.sparse.size': '10' }, 'xx'],
    ['a map that never ends', { 'GNU.sparse.major': '1', 'GNU.sparse.realsize': '10' }, '3\n0\n1\n'],
  ])('refuses a sparse file with %s', (_, pax, body) => {
    expect(refusalOf(rawTar([{ name: 'sparse', body, pax }]))).toMatchObject({
      code: 'LAYER_INVALID',
      rule: 'sparse-map',
    });
  });

  it('refuses a sparse file of more than a file may have, however few bytes it brings', () => {
    const pax = { 'GNU.sparse.map': '0,1', 'GNU.sparse.size': String(limit.fileBytesMax + 1) };
    expect(refusalOf(rawTar([{ name: 'a', body: 'x', pax }]))).toMatchObject({
      code: 'LIMIT_EXCEEDED',
      rule: 'file-too-large',
    });
  });

  it('finds the bytes of a sparse file behind a map that stands before them', () => {
    const map = Buffer.concat([Buffer.from('2\n0\n3\n9\n2\n'), Buffer.alloc(502)]);
    const body = Buffer.concat([map, Buffer.from('abcde')]);
    const pax = { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '12' };
    const [sparse, next] = scan(rawTar([{ name: 'a', body, pax }, { name: 'b' }]));
    expect(sparse!.body).toBe('abcde');
    expect(sparse!.header).toMatchObject({ size: 12, storedBytes: 5, offset: 1024, dataOffset: 2048 });
    expect(next!.header.path.toString()).toBe('b');
  });

  it('says in which entry a tar is cut off', () => {
    const cut = withoutEnd([
      { name: 'a', body: 'x'.repeat(100) },
      { name: 'b', body: 'y'.repeat(900) },
    ]).subarray(0, 1700);
    expect(refusalOf(cut)).toEqual({ code: 'LAYER_INVALID', entry: 1, offset: 1024, rule: 'truncated-body' });
  });

  it('says so too where it is cut off in a volume label, which is no entry', () => {
    const cut = withoutEnd([{ name: 'label', flag: 'V', body: 'x'.repeat(900) }]).subarray(0, 700);
    expect(refusalOf(cut)).toEqual({ code: 'LAYER_INVALID', entry: 0, offset: 0, rule: 'truncated-body' });
  });

  it('takes a last entry without its padding, as a tar without end blocks', () => {
    expect(scan(withoutEnd([{ name: 'a', body: 'xyz' }]).subarray(0, 515))).toMatchObject([{ body: 'xyz' }]);
  });

  it('refuses a tar that ends behind an extended header', () => {
    const cut = rawEntry({ name: 'a', pax: { mtime: '1' } }).subarray(0, 1024);
    expect(refusalOf(cut)).toMatchObject({ rule: 'dangling-extended-header' });
  });
});

/** Puts the right checksum into a header that was changed. */
function withSum(header: Buffer): Buffer {
  header.write('        ', 148);
  const sum = header.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}
