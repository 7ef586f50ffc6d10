import { headerBytes, newHeader, writeHeader, type CanonicalHeader } from './tar-header.js';

const text = (length: number): Pick<CanonicalHeader, 'path' | 'pathLength'> => ({
  path: Buffer.from('p'.repeat(length)),
  pathLength: length,
});

/** The records of the PAX header that was written, or none. */
function paxOf(header: CanonicalHeader): string {
  const target = Buffer.alloc(8192, 0xff);
  const end = writeHeader(header, target, 0);
  expect(end).toBe(headerBytes(header));
  if (end === 512) return '';
  return target.toString('latin1', 512, end - 512).replace(/\0+$/, '');
}

const header = (fields: Partial<CanonicalHeader>): CanonicalHeader => ({ ...newHeader(), ...text(3), ...fields });

describe('writeHeader', () => {
  const cases: [what: string, fields: Partial<CanonicalHeader>, pax: string][] = [
    ['a path of 100 bytes', text(100), ''],
    ['a path of 101 bytes', text(101), `111 path=${'p'.repeat(101)}\n`],
    ['a path whose record has one digit more because of its digits', text(990), `1001 path=${'p'.repeat(990)}\n`],
    [
      'a path that is not UTF-8',
      { path: Buffer.alloc(101, 0xff), pathLength: 101 },
      `21 hdrcharset=BINARY\n111 path=${'\xff'.repeat(101)}\n`,
    ],
    ['the largest id of ustar', { uid: 2 ** 21 - 1 }, ''],
    ['an id beyond it', { uid: 2 ** 21, gid: 2 ** 32 - 2 }, '18 gid=4294967294\n15 uid=2097152\n'],
    ['the largest size of ustar', { size: 2 ** 33 - 1 }, ''],
    ['a size beyond it', { size: 2 ** 33 }, '19 size=8589934592\n'],
    ['the last time of ustar', { mtimeLow: 2 ** 32 - 1, mtimeHigh: 1 }, ''],
    ['the time after it', { mtimeHigh: 2 }, '20 mtime=8589934592\n'],
    ['a fraction, as short as it can be', { mtimeLow: 1, nanos: 120_000_000 }, '14 mtime=1.12\n'],
    ['-5.5', { mtimeLow: 2 ** 32 - 6, mtimeHigh: -1, nanos: 500_000_000 }, '14 mtime=-5.5\n'],
    ['-0.000000001', { mtimeLow: 2 ** 32 - 1, mtimeHigh: -1, nanos: 999_999_999 }, '22 mtime=-0.000000001\n'],
    ['-5', { mtimeLow: 2 ** 32 - 5, mtimeHigh: -1 }, '12 mtime=-5\n'],
  ];
  it.each(cases)('says %s', (_, fields, pax) => {
    expect(paxOf(header(fields))).toBe(pax);
  });
});
