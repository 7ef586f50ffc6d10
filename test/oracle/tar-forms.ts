/**
 * Tar entries in every form that is found in the wild, written by hand, right and wrong: the product's own writer
 * knows one form only, and must not judge itself.
 */

/** One entry as it shall stand in the tar. Names are raw bytes. */
export interface RawEntry {
  readonly name: Buffer;
  readonly typeFlag: string;
  readonly link?: Buffer;
  readonly body?: Buffer;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly device?: readonly [number, number];
  /** PAX records that stand before it. */
  readonly pax?: readonly (readonly [key: string, value: Buffer])[];
  readonly magic?: 'ustar' | 'gnu' | 'v7';
  readonly longNames?: 'gnu' | 'pax' | 'none';
  /** Ids and times as binary numbers where octal would do, too. */
  readonly binaryNumbers?: boolean;
  readonly signedChecksum?: boolean;
  readonly breakChecksum?: boolean;
  /** The size field, when it shall not be the body's. */
  readonly sizeField?: number;
  /** Bytes 345–499: a ustar prefix, or what GNU puts there. */
  readonly prefix?: Buffer;
}

/** The blocks of one entry, with the extended headers it needs. */
export function entryBlocks(entry: RawEntry): Buffer[] {
  const out: Buffer[] = [];
  const records = [...(entry.pax ?? [])];
  const longNames = entry.longNames ?? 'pax';
  for (const [value, key, flag] of [
    [entry.name, 'path', 'L'],
    [entry.link ?? Buffer.alloc(0), 'linkpath', 'K'],
  ] as const) {
    if (value.length <= 100 || longNames === 'none') continue;
    if (longNames === 'pax') records.push([key, value]);
    else out.push(...gnuLong(flag, value));
  }
  if (records.length > 0) out.push(...paxHeader('x', records));
  out.push(headerBlock(entry), padded(entry.body ?? Buffer.alloc(0)));
  return out;
}

export function paxHeader(flag: 'x' | 'g', records: RawEntry['pax'] & object): Buffer[] {
  const body = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)));
  return [headerBlock({ name: Buffer.from('././@PaxHeader'), typeFlag: flag, body }), padded(body)];
}

export function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`, 'latin1'), value, Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

export function gnuLong(flag: 'L' | 'K', value: Buffer): Buffer[] {
  const body = Buffer.concat([value, Buffer.alloc(1)]);
  return [headerBlock({ name: Buffer.from('././@LongLink'), typeFlag: flag, body, magic: 'gnu' }), padded(body)];
}

/** A sparse file in one of its four forms. `segments` are [offset, bytes]; holes are zero. */
export function sparseBlocks(
  form: 'old' | '0.0' | '0.1' | '1.0',
  entry: RawEntry,
  segments: readonly (readonly [number, Buffer])[],
  sizeBytes: number,
): Buffer[] {
  const data = Buffer.concat(segments.map(([, bytes]) => bytes));
  const numbers = segments.flatMap(([offset, bytes]) => [offset, bytes.length]);
  const text = (value: number | string) => Buffer.from(String(value));
  if (form === 'old') return oldSparse(entry, numbers, data, sizeBytes);
  if (form === '0.0') {
    const pairs = segments.flatMap(([offset, bytes]): [string, Buffer][] => [
      ['GNU.sparse.offset', text(offset)],
      ['GNU.sparse.numbytes', text(bytes.length)],
    ]);
    const pax: [string, Buffer][] = [
      ['GNU.sparse.size', text(sizeBytes)],
      ['GNU.sparse.numblocks', text(segments.length)],
      ...pairs,
    ];
    return entryBlocks({ ...entry, typeFlag: '0', body: data, pax: [...(entry.pax ?? []), ...pax] });
  }
  if (form === '0.1') {
    const pax: [string, Buffer][] = [
      ['GNU.sparse.size', text(sizeBytes)],
      ['GNU.sparse.numblocks', text(segments.length)],
      ['GNU.sparse.map', text(numbers.join(','))],
    ];
    return entryBlocks({ ...entry, typeFlag: '0', body: data, pax: [...(entry.pax ?? []), ...pax] });
  }
  const map = padded(text(`${[segments.length, ...numbers].join('\n')}\n`));
  const pax: [string, Buffer][] = [
    ['GNU.sparse.major', text(1)],
    ['GNU.sparse.minor', text(0)],
    ['GNU.sparse.name', entry.name],
    ['GNU.sparse.realsize', text(sizeBytes)],
  ];
  return entryBlocks({
    ...entry,
    name: Buffer.concat([Buffer.from('GNUSparseFile.1/'), entry.name]).subarray(0, 100),
    typeFlag: '0',
    body: Buffer.concat([map, data]),
    pax: [...(entry.pax ?? []), ...pax],
  });
}

function oldSparse(entry: RawEntry, numbers: readonly number[], data: Buffer, sizeBytes: number): Buffer[] {
  const header = headerBlock({ ...entry, typeFlag: 'S', body: data, magic: 'gnu' });
  numbers.slice(0, 8).forEach((value, i) => header.write(octal(value, 12), 386 + 12 * i, 'latin1'));
  header[482] = numbers.length > 8 ? 1 : 0;
  header.write(octal(sizeBytes, 12), 483, 'latin1');
  writeChecksum(header, false);
  const more: Buffer[] = [];
  for (let at = 8; at < numbers.length; at += 42) {
    const block = Buffer.alloc(512);
    numbers.slice(at, at + 42).forEach((value, i) => block.write(octal(value, 12), 12 * i, 'latin1'));
    block[504] = numbers.length > at + 42 ? 1 : 0;
    more.push(block);
  }
  return [header, ...more, padded(data)];
}

export function headerBlock(entry: RawEntry): Buffer {
  const header = Buffer.alloc(512);
  entry.name.copy(header, 0, 0, 100);
  writeNumber(header, entry.mode ?? 0o644, 100, 8, false);
  writeNumber(header, entry.uid ?? 0, 108, 8, entry.binaryNumbers);
  writeNumber(header, entry.gid ?? 0, 116, 8, entry.binaryNumbers);
  writeNumber(header, entry.sizeField ?? entry.body?.length ?? 0, 124, 12, false);
  writeNumber(header, entry.mtime ?? 1_600_000_000, 136, 12, entry.binaryNumbers);
  header.write(entry.typeFlag, 156, 'latin1');
  entry.link?.copy(header, 157, 0, 100);
  const magic = entry.magic ?? 'ustar';
  if (magic !== 'v7') header.write(magic === 'gnu' ? 'ustar  \0' : 'ustar\x0000', 257, 'latin1');
  if (entry.device) {
    writeNumber(header, entry.device[0], 329, 8, false);
    writeNumber(header, entry.device[1], 337, 8, false);
  }
  entry.prefix?.copy(header, 345, 0, 155);
  writeChecksum(header, entry.signedChecksum ?? false);
  if (entry.breakChecksum) header[0] = (header[0] as number) ^ 1;
  return header;
}

export function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

function writeChecksum(header: Buffer, signed: boolean): void {
  header.write('        ', 148, 'latin1');
  let sum = 0;
  for (const byte of header) sum += signed && byte > 127 ? byte - 256 : byte;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

/** Octal where it fits and nothing else is asked for, else base-256. */
function writeNumber(header: Buffer, value: number, at: number, width: number, binary: boolean | undefined): void {
  if (!binary && value >= 0 && value < 8 ** (width - 1)) {
    header.write(octal(value, width), at, 'latin1');
    return;
  }
  let rest = BigInt.asUintN(8 * width, BigInt(value));
  for (let i = width - 1; i >= 0; i -= 1, rest >>= 8n) header[at + i] = Number(rest & 255n);
  header[at] = (header[at] as number) | 0x80;
}

function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, '0')}\0`;
}
