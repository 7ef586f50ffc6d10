import { pipeline } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';
import { constants, createGzip, gzipSync, zstdCompressSync } from 'node:zlib';
import { collectBytes, inPieces, randomBytesOf, thenFails } from '../../../test/fixture/bytes-random.js';
import { skippableFrame } from '../../../test/fixture/bytes-compressed.js';
import { decompress } from './decompress.js';

const text = Buffer.from('a layer, in plain bytes. '.repeat(4000));
const noise = randomBytesOf(1, 300_000);
const half = text.length / 2;
const [first, second] = [text.subarray(0, half), text.subarray(half)];
const nul = Buffer.alloc(3000);

interface Row {
  readonly title: string;
  readonly bytes: Uint8Array;
  readonly plain: Uint8Array;
}

const accepted: readonly Row[] = [
  { title: 'plain bytes', bytes: text, plain: text },
  { title: 'no bytes at all', bytes: Buffer.alloc(0), plain: Buffer.alloc(0) },
  { title: 'fewer bytes than a magic number', bytes: Buffer.from([0x1f]), plain: Buffer.from([0x1f]) },
  {
    title: 'a tar whose first name only looks like bzip2',
    bytes: Buffer.from('BZh1.txt\0'),
    plain: Buffer.from('BZh1.txt\0'),
  },
  { title: 'gzip', bytes: gzipSync(text), plain: text },
  { title: 'gzip of nothing', bytes: gzipSync(''), plain: Buffer.alloc(0) },
  { title: 'gzip of what does not compress', bytes: gzipSync(noise), plain: noise },
  { title: 'gzip, stored', bytes: gzipSync(noise, { level: 0 }), plain: noise },
  { title: 'gzip of two members (Z9)', bytes: Buffer.concat([gzipSync(first), gzipSync(second)]), plain: text },
  {
    title: 'gzip of many members',
    bytes: Buffer.concat(Array.from({ length: 100 }, (_, n) => gzipSync(noise.subarray(n * 3000, (n + 1) * 3000)))),
    plain: noise,
  },
  { title: 'gzip and NUL padding (Z10)', bytes: Buffer.concat([gzipSync(text), nul]), plain: text },
  { title: 'gzip and one NUL', bytes: Buffer.concat([gzipSync(text), Buffer.alloc(1)]), plain: text },
  { title: 'zstd (Z12)', bytes: zstdCompressSync(text), plain: text },
  { title: 'zstd of nothing', bytes: zstdCompressSync(Buffer.alloc(0)), plain: Buffer.alloc(0) },
  { title: 'zstd of what does not compress', bytes: zstdCompressSync(noise), plain: noise },
  { title: 'zstd with checksums', bytes: checked(text), plain: text },
  {
    title: 'zstd of one repeated byte',
    bytes: zstdCompressSync(Buffer.alloc(500_000, 7)),
    plain: Buffer.alloc(500_000, 7),
  },
  { title: 'zstd of two frames', bytes: Buffer.concat([zstdCompressSync(first), checked(second)]), plain: text },
  {
    title: 'zstd of two frames and skippable frames before, between and after (Z13)',
    bytes: Buffer.concat([
      skippableFrame(0, 10),
      zstdCompressSync(first),
      skippableFrame(15, 200_000),
      skippableFrame(7, 0),
      zstdCompressSync(second),
      skippableFrame(1, 1),
    ]),
    plain: text,
  },
  {
    title: 'zstd of many frames',
    bytes: Buffer.concat(
      Array.from({ length: 100 }, (_, n) => zstdCompressSync(noise.subarray(n * 3000, (n + 1) * 3000))),
    ),
    plain: noise,
  },
];

const refused: readonly { title: string; bytes: Uint8Array; rule: string }[] = [
  { title: 'xz', bytes: Buffer.from('fd377a585a000004', 'hex'), rule: 'compression' },
  { title: 'bzip2', bytes: Buffer.from('425a6839314159265359', 'hex'), rule: 'compression' },
  { title: 'lz4', bytes: Buffer.from('04224d1864404000', 'hex'), rule: 'compression' },
  {
    title: 'gzip and garbage (Z11)',
    bytes: Buffer.concat([gzipSync(text), Buffer.from('garbage')]),
    rule: 'trailing-garbage',
  },
  {
    title: 'gzip, NUL bytes, garbage',
    bytes: Buffer.concat([gzipSync(text), nul, Buffer.from('x')]),
    rule: 'trailing-garbage',
  },
  {
    title: 'gzip, NUL bytes, gzip',
    bytes: Buffer.concat([gzipSync(text), nul, gzipSync(text)]),
    rule: 'trailing-garbage',
  },
  { title: 'gzip, cut in the data', bytes: gzipSync(noise).subarray(0, 200_000), rule: 'truncated' },
  { title: 'gzip, cut in the checksum', bytes: gzipSync(text).subarray(0, -1), rule: 'truncated' },
  { title: 'gzip, cut in the header', bytes: gzipSync(text).subarray(0, 9), rule: 'truncated' },
  {
    title: 'gzip, the second member cut',
    bytes: Buffer.concat([gzipSync(text), gzipSync(noise).subarray(0, 99_999)]),
    rule: 'truncated',
  },
  { title: 'gzip, a wrong checksum', bytes: flipped(gzipSync(text), -6), rule: 'corrupt-stream' },
  { title: 'gzip, a wrong length', bytes: flipped(gzipSync(text), -1), rule: 'corrupt-stream' },
  { title: 'zstd, cut in a block', bytes: zstdCompressSync(noise).subarray(0, 200_000), rule: 'truncated' },
  {
    title: 'zstd, cut in the magic',
    bytes: Buffer.concat([zstdCompressSync(text), Buffer.from('28b5', 'hex')]),
    rule: 'truncated',
  },
  { title: 'zstd, cut in the checksum', bytes: checked(text).subarray(0, -1), rule: 'truncated' },
  {
    title: 'zstd, cut in a skippable frame',
    bytes: Buffer.concat([zstdCompressSync(text), skippableFrame(0, 9).subarray(0, -1)]),
    rule: 'truncated',
  },
  {
    title: 'zstd, the second frame cut',
    bytes: Buffer.concat([zstdCompressSync(text), zstdCompressSync(noise).subarray(0, 9)]),
    rule: 'truncated',
  },
  {
    title: 'zstd and garbage',
    bytes: Buffer.concat([zstdCompressSync(text), Buffer.from('garbage')]),
    rule: 'trailing-garbage',
  },
  { title: 'zstd, a wrong checksum', bytes: flipped(checked(text), -1), rule: 'corrupt-stream' },
  {
    title: 'zstd, a block of the reserved type',
    bytes: Buffer.from('28b52ffd2001070000', 'hex'),
    rule: 'corrupt-stream',
  },
];

describe.each([
  ['whole', Infinity],
  ['in pieces of 64 KiB', 65_536],
  ['in pieces of 1,000 bytes', 1000],
  ['byte by byte', 1],
])('a stream that comes %s', (_, pieceBytes) => {
  // Byte by byte is a trip through the thread pool each: only for what is short.
  const short = <T extends { bytes: Uint8Array }>(rows: readonly T[]): T[] =>
    rows.filter(({ bytes }) => bytes.length / pieceBytes < 5000);

  it.each(short(accepted))('reads $title', async ({ bytes, plain }) => {
    const opened = await decompress(inPieces(bytes, pieceBytes));
    const read = await collectBytes(opened.bytes);
    expect(read.equals(plain)).toBe(true);
  });

  it.each(short(refused))('refuses $title, as $rule', async ({ bytes, rule }) => {
    await expect(readAll(inPieces(bytes, pieceBytes))).rejects.toMatchObject({
      code: 'LAYER_INVALID',
      detail: { rule },
    });
  });
});

describe('limits', () => {
  it.each([
    ['gzip', gzipSync(Buffer.alloc(65 << 20), { level: 9 })],
    ['zstd', zstdCompressSync(Buffer.alloc(65 << 20))],
  ])('refuses a %s bomb when 64 MiB came out of it', async (_, bytes) => {
    expect((65 << 20) / bytes.length).toBeGreaterThan(200);
    await expect(readAll(inPieces(bytes, 65_536))).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      detail: { limit: 'inflateRatioMax' },
    });
  });

  it('stops a bomb of gigabytes soon after 64 MiB', async () => {
    const source = createGzip({ level: 9 });
    const filled = pipeline(repeated(Buffer.alloc(1 << 20), 4096), source);
    let read = 0;
    const opened = await decompress(source);
    await expect(
      (async () => {
        for await (const bytes of opened.bytes) read += bytes.length;
      })(),
    ).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(read).toBeLessThan(66 << 20);
    await expect(filled).rejects.toThrow();
  });

  it('accepts a file of zeros below 64 MiB, and a large one among noise', async () => {
    const small = gzipSync(Buffer.alloc(63 << 20), { level: 9 });
    expect((await readAll(inPieces(small, 65_536))).length).toBe(63 << 20);
    const mixed = zstdCompressSync(Buffer.concat([randomBytesOf(2, 1 << 20), Buffer.alloc(99 << 20)]));
    expect((await readAll(inPieces(mixed, 65_536))).length).toBe(100 << 20);
  });

  it.each([
    ['of 256 MiB', Buffer.from('28b52ffd0090010000', 'hex')],
    ['of one segment of 1 GiB', Buffer.from('28b52ffda000000040010000', 'hex')],
    ['of one segment of 2^60 bytes', Buffer.from('28b52ffde00000000000000010010000', 'hex')],
  ])('refuses a zstd window %s before it is allocated', async (_, bytes) => {
    await expect(readAll(inPieces(bytes, 5))).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      detail: { limit: 'zstdWindowBytesMax' },
    });
  });

  it('reads a window of 128 MiB', async () => {
    const bytes = Buffer.concat([Buffer.from('28b52ffd0088210000', 'hex'), Buffer.from('abcd')]);
    expect(String(await readAll(inPieces(bytes, 5)))).toBe('abcd');
  });
});

describe('streams that end early', () => {
  it.each([
    ['plain', noise],
    ['gzip', gzipSync(noise)],
    ['zstd', zstdCompressSync(noise)],
  ])('passes on the error of a %s source', async (_, bytes) => {
    await expect(readAll(thenFails(bytes.subarray(0, 200_000), 10_000))).rejects.toThrow('the connection was reset');
  });

  it.each([
    ['plain', noise],
    ['gzip', gzipSync(randomBytesOf(3, 8 << 20))],
    ['zstd', zstdCompressSync(randomBytesOf(3, 8 << 20))],
  ])('closes a %s source when the reader leaves', async (_, bytes) => {
    let isClosed = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield* inPieces(bytes, 1 << 20);
      } finally {
        isClosed = true;
      }
    }
    const opened = await decompress(source());
    const reading = opened.bytes[Symbol.asyncIterator]();
    await reading.next();
    await reading.return?.();
    expect(isClosed).toBe(true);
  });

  it('closes a source that it refuses by its first bytes', async () => {
    let isClosed = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield Buffer.from('fd377a585a000004', 'hex');
        yield noise;
        yield noise;
      } finally {
        isClosed = true;
      }
    }
    await expect(decompress(source())).rejects.toMatchObject({ detail: { compression: 'xz' } });
    expect(isClosed).toBe(true);
  });

  it('reads no faster than it is read', async () => {
    let given = 0;
    async function* source(): AsyncGenerator<Uint8Array> {
      for await (const piece of inPieces(gzipSync(randomBytesOf(4, 32 << 20), { level: 0 }), 1 << 20)) {
        given += piece.length;
        yield piece;
      }
    }
    const opened = await decompress(source());
    const reading = opened.bytes[Symbol.asyncIterator]();
    await reading.next();
    await setTimeout(50);
    expect(given).toBeLessThan(8 << 20);
    await reading.return?.();
  });
});

async function readAll(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return collectBytes((await decompress(source)).bytes);
}

function* repeated(bytes: Buffer, count: number): Generator<Buffer> {
  for (let n = 0; n < count; n += 1) yield bytes;
}

function checked(bytes: Uint8Array): Buffer {
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  const index = copy.length + at;
  copy[index] = (copy[index] as number) ^ 1;
  return copy;
}
