import type { Random } from '../oracle/random.js';
import { paxRecord } from '../oracle/tar-forms.js';

const blockBytes = 512;

/** One to four damages to a tar that was valid, most of them behind a checksum that is right again. */
export function mutateTar(random: Random, tar: Buffer, others: readonly Buffer[]): Buffer {
  let bytes: Buffer = Buffer.from(tar);
  for (let left = 1 + random.below(4); left > 0 && bytes.length >= blockBytes; left -= 1) {
    bytes = damages[random.weighted(weights)](random, bytes, others);
  }
  return bytes;
}

const weights = {
  flipBytes: 12, flipHeaderByte: 10, setNumber: 20, setText: 12, setTypeFlag: 10, manglePax: 18, insertPax: 8,
  swapBlocks: 5, repeatBlocks: 6, dropBlocks: 5, cut: 4, splice: 4, zeroBlock: 2, setSparse: 4,
} as const; // prettier-ignore

type Damage = (random: Random, bytes: Buffer, others: readonly Buffer[]) => Buffer;

const damages: Readonly<Record<keyof typeof weights, Damage>> = {
  flipBytes(random, bytes) {
    for (let left = 1 + random.below(6); left > 0; left -= 1) bytes[random.below(bytes.length)] = random.below(256);
    return bytes;
  },
  flipHeaderByte: (random, bytes) =>
    inHeader(random, bytes, (header) => {
      header[random.below(blockBytes)] = random.below(256);
    }),
  setNumber: (random, bytes) =>
    inHeader(random, bytes, (header) => {
      const [at, width] = random.pick(numberFields);
      header.fill(0, at, at + width);
      random.pick(extremes)(width).copy(header, at, 0, width);
    }),
  setText: (random, bytes) =>
    inHeader(random, bytes, (header) => {
      const [at, width] = random.pick(textFields);
      header.fill(0, at, at + width);
      header.write(random.pick(hostileNames), at, width, 'latin1');
    }),
  setTypeFlag: (random, bytes) =>
    inHeader(random, bytes, (header) => {
      header[156] = random.pick(Array.from(Buffer.from('0123456789xgLKSVDMNA\0')));
    }),
  setSparse: (random, bytes) =>
    inHeader(random, bytes, (header) => {
      header.write('S', 156);
      for (let at = 386; at < 482; at += 12) random.pick(extremes)(12).copy(header, at, 0, 12);
      header[482] = random.below(2);
    }),
  manglePax(random, bytes) {
    const header = random.pick(headersOf(bytes, 'xg'));
    if (header === undefined) return damages.insertPax(random, bytes, []);
    const size = Number.parseInt(bytes.toString('latin1', header + 124, header + 135), 8) || 0;
    const end = Math.min(bytes.length, header + blockBytes + size);
    if (end <= header + blockBytes) return bytes;
    const at = header + blockBytes + random.below(end - header - blockBytes);
    bytes[at] = random.pick([0, 0x0a, 0x20, 0x3d, 0x30, 0x39, 0x2d, 0xff, random.below(256)]);
    return bytes;
  },
  insertPax(random, bytes) {
    const at = random.pick(headersOf(bytes)) ?? 0;
    const count = random.pick([1, 1, 2, 5]);
    const records = Array.from({ length: count }, () => paxRecord(random.pick(paxKeys), paxValue(random)));
    const body = Buffer.concat(records);
    const header = Buffer.alloc(blockBytes);
    header.write('././@PaxHeader', 0);
    header.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write(random.chance(0.85) ? 'x' : 'g', 156);
    header.write('ustar\x0000', 257);
    writeChecksum(header);
    const padding = Buffer.alloc(-body.length & (blockBytes - 1));
    return Buffer.concat([bytes.subarray(0, at), header, body, padding, bytes.subarray(at)]);
  },
  swapBlocks(random, bytes) {
    const [a, b] = [blockAt(random, bytes), blockAt(random, bytes)];
    const kept = Buffer.from(bytes.subarray(a, a + blockBytes));
    bytes.copy(bytes, a, b, b + blockBytes);
    kept.copy(bytes, b);
    return bytes;
  },
  repeatBlocks(random, bytes) {
    const from = random.chance(0.7) ? (random.pick(headersOf(bytes)) ?? 0) : blockAt(random, bytes);
    const piece = bytes.subarray(from, from + blockBytes * (1 + random.below(4)));
    const at = blockAt(random, bytes);
    return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
  },
  dropBlocks(random, bytes) {
    const at = blockAt(random, bytes);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + blockBytes * (1 + random.below(3)))]);
  },
  cut: (random, bytes) => bytes.subarray(0, random.below(bytes.length)),
  splice(random, bytes, others) {
    const other = random.pick(others) ?? bytes;
    return Buffer.concat([bytes.subarray(0, blockAt(random, bytes)), other.subarray(blockAt(random, other))]);
  },
  zeroBlock(random, bytes) {
    const at = blockAt(random, bytes);
    return bytes.fill(0, at, at + blockBytes);
  },
};

/** [offset, bytes] of mode, uid, gid, size, mtime, checksum, device numbers; and where GNU keeps a sparse file's size. */
const numberFields = [
  [100, 8], [108, 8], [116, 8], [124, 12], [124, 12], [136, 12], [148, 8], [329, 8], [337, 8], [483, 12],
] as const; // prettier-ignore
/** Name, link, magic, prefix. */
const textFields = [[0, 100], [0, 100], [157, 100], [257, 8], [345, 155]] as const; // prettier-ignore

type Field = (width: number) => Buffer;
const text =
  (value: string): Field =>
  () =>
    Buffer.from(value, 'latin1');
const binary =
  (value: bigint): Field =>
  (width) => {
    const field = Buffer.alloc(width);
    for (let at = width - 1, rest = BigInt.asUintN(8 * width, value); at >= 0; at -= 1, rest >>= 8n) {
      field[at] = Number(rest & 255n);
    }
    field[0] = (field[0] ?? 0) | 0x80;
    return field;
  };

const extremes: readonly Field[] = [
  (width) => Buffer.alloc(width, '7'),
  (width) => Buffer.alloc(width, 0xff),
  (width) => Buffer.alloc(width, ' '),
  (width) => Buffer.alloc(width),
  binary(0n), binary(-1n), binary(-2n), binary(1n), binary(600n), binary(2n ** 31n), binary(2n ** 32n - 2n), binary(2n ** 32n - 1n),
  binary(2n ** 53n), binary(2n ** 63n - 1n), binary(2n ** 63n), binary(2n ** 64n - 1n), binary(2n ** 94n), binary(-(2n ** 63n)),
  text('0'), text('1000'), text('-1'), text(' 1 '), text('9'), text('0x10'), text('1 2'), text('17\x001'), text('\x0012'),
  text('77777777'), text('20000000'), text('1777\xa0'),
]; // prettier-ignore

const hostileNames = [
  '', '.', '..', '/', './', 'a', 'a/', 'a/c', 'a/../../b', '../../etc/passwd', '/abs', 'a//b', 'a/./b', 'lib/..', 'new\nline',
  '.wh.', '.wh..', '.wh.a', '.wh..wh..opq', 'a/.wh..wh..opq', '.wh..wh.plnk/1.2', '.wh..wh.aufs', '.wh.a/b', '\xff\xfe', 'a\\b',
  'n'.repeat(100), `${'d/'.repeat(49)}f`, 'ustar', 'ustar  ', 'constructor', '__proto__', '__proto__/x', 'toString',
]; // prettier-ignore

const paxKeys = [
  'path', 'path', 'linkpath', 'size', 'uid', 'gid', 'mtime', 'mtime', 'atime', 'hdrcharset', 'comment', 'GNU.sparse.major',
  'GNU.sparse.minor', 'GNU.sparse.name', 'GNU.sparse.realsize', 'GNU.sparse.size', 'GNU.sparse.map', 'GNU.sparse.numblocks',
  'GNU.sparse.offset', 'GNU.sparse.numbytes', 'SCHILY.xattr.user.a', 'SCHILY.xattr.', 'SCHILY.xattr.trusted.overlay.opaque',
  '__proto__', 'constructor', 'MSWINDOWS.rawsd',
]; // prettier-ignore

function paxValue(random: Random): Buffer {
  const values = [
    ...hostileNames, '0', '1', '-1', '512', '1e3', '0x1', ' 1', '9'.repeat(19), '9'.repeat(25), '9'.repeat(400), '1.5', '-0.5',
    '.5', '1.', '18446744073709551616', '9223372036854775807', '0,512', '0,1,2', ',', '0,0', 'NaN', 'Infinity', '1_000',
    'a\0b', 'p/'.repeat(600) + 'f', 'x'.repeat(256),
  ]; // prettier-ignore
  return Buffer.from(random.pick(values), 'latin1');
}

/** Changes one header, and mostly makes its checksum right again. */
function inHeader(random: Random, bytes: Buffer, change: (header: Buffer) => void): Buffer {
  const at = random.pick(headersOf(bytes));
  if (at === undefined) return bytes;
  const header = bytes.subarray(at, at + blockBytes);
  const checksum = Buffer.from(header.subarray(148, 156));
  change(header);
  const isUntouched = checksum.equals(header.subarray(148, 156));
  if (isUntouched && random.chance(0.95)) writeChecksum(header);
  return bytes;
}

/** Offsets of blocks that look like a header: their checksum is right. Those of some type flags, when named. */
function headersOf(bytes: Buffer, flags?: string): number[] {
  const found: number[] = [];
  for (let at = 0; at + blockBytes <= bytes.length; at += blockBytes) {
    const header = bytes.subarray(at, at + blockBytes);
    if (header[0] === 0 && header[156] === 0) continue;
    if (flags !== undefined && !flags.includes(String.fromCharCode(header[156] ?? 0))) continue;
    if (Number.parseInt(header.toString('latin1', 148, 154), 8) === checksumOf(header)) found.push(at);
  }
  return found;
}

function blockAt(random: Random, bytes: Buffer): number {
  return blockBytes * random.below(Math.max(1, Math.floor(bytes.length / blockBytes)));
}

function checksumOf(header: Buffer): number {
  let sum = 8 * 0x20;
  for (let at = 0; at < blockBytes; at += 1) if (at < 148 || at >= 156) sum += header[at] ?? 0;
  return sum;
}

function writeChecksum(header: Buffer): void {
  header.write(`${checksumOf(header).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}
