import { isUtf8 } from 'node:buffer';
import { paxRecord, paxRecordBytes } from './pax-record.js';

const blockBytes = 512;
const nameBytesMax = 100;
const idEnd = 2 ** 21;
const sizeEnd = 2 ** 33;
const timeEnd = 2 ** 33;

/**
 * What a canonical header says. Mutable, so that one serves a whole tar. `path` and `link` are the first bytes of
 * buffers that may be longer; a directory's path ends with `/`.
 */
export interface CanonicalHeader {
  /** As in ustar: '0' file, '1' hardlink, '2' symlink, '3' char, '4' block, '5' directory, '6' fifo; as a byte. */
  typeflag: number;
  path: Uint8Array;
  pathLength: number;
  link: Uint8Array;
  linkLength: number;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  /** Seconds since 1970 as a signed 64-bit number in two halves, and nanoseconds. */
  mtimeLow: number;
  mtimeHigh: number;
  nanos: number;
  deviceMajor: number;
  deviceMinor: number;
  /** As PAX records, sorted. */
  xattrRecords: Uint8Array;
}

const noBytes = new Uint8Array(0);

export function newHeader(): CanonicalHeader {
  return {
    typeflag: 0x30,
    path: noBytes,
    pathLength: 0,
    link: noBytes,
    linkLength: 0,
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    mtimeLow: 0,
    mtimeHigh: 0,
    nanos: 0,
    deviceMajor: 0,
    deviceMinor: 0,
    xattrRecords: noBytes,
  };
}

/** Bytes of the header as `writeHeader` writes it, the extended one included: a multiple of 512. */
export function headerBytes(header: CanonicalHeader): number {
  if (isPlain(header)) return blockBytes;
  const pax = paxBytes(header);
  return pax === 0 ? blockBytes : 2 * blockBytes + padded(pax);
}

/**
 * Writes the one header that an entry has in the canonical tar: ustar, and before it a PAX header only where ustar
 * cannot say it. Returns where it ends. @see union/SPEC 4.3
 */
export function writeHeader(header: CanonicalHeader, target: Uint8Array, at: number): number {
  let next = at;
  if (!isPlain(header)) {
    const pax = paxRecords(header);
    if (pax.length > 0) next = writePax(pax, target, next);
  }
  writeBlock(header, target, next, ustarTime(header));
  return next + blockBytes;
}

/** Nearly every entry; the cheap test first. */
function isPlain(header: CanonicalHeader): boolean {
  return (
    header.pathLength <= nameBytesMax &&
    header.linkLength <= nameBytesMax &&
    header.nanos === 0 &&
    (header.mtimeHigh === 0 || header.mtimeHigh === 1) &&
    header.uid < idEnd &&
    header.gid < idEnd &&
    header.size < sizeEnd &&
    header.xattrRecords.length === 0
  );
}

const binaryCharset = paxRecord('hdrcharset', Buffer.from('BINARY'));

/** `hdrcharset` first, then by key: capitals come before small letters, so the attributes lead. */
function paxRecords(header: CanonicalHeader): Buffer {
  const records: Uint8Array[] = [];
  if (needsBinary(header)) records.push(binaryCharset);
  records.push(header.xattrRecords);
  if (header.gid >= idEnd) records.push(paxRecord('gid', Buffer.from(String(header.gid))));
  if (header.linkLength > nameBytesMax) records.push(paxRecord('linkpath', header.link.subarray(0, header.linkLength)));
  const time = paxTimeText(header);
  if (time !== '') records.push(paxRecord('mtime', Buffer.from(time)));
  if (header.pathLength > nameBytesMax) records.push(paxRecord('path', header.path.subarray(0, header.pathLength)));
  if (header.size >= sizeEnd) records.push(paxRecord('size', Buffer.from(String(header.size))));
  if (header.uid >= idEnd) records.push(paxRecord('uid', Buffer.from(String(header.uid))));
  return Buffer.concat(records);
}

/** The length of `paxRecords`, without making them. */
function paxBytes(header: CanonicalHeader): number {
  let bytes = header.xattrRecords.length;
  if (needsBinary(header)) bytes += binaryCharset.length;
  if (header.gid >= idEnd) bytes += paxRecordBytes(3, String(header.gid).length);
  if (header.linkLength > nameBytesMax) bytes += paxRecordBytes(8, header.linkLength);
  const time = paxTimeText(header);
  if (time !== '') bytes += paxRecordBytes(5, time.length);
  if (header.pathLength > nameBytesMax) bytes += paxRecordBytes(4, header.pathLength);
  if (header.size >= sizeEnd) bytes += paxRecordBytes(4, String(header.size).length);
  if (header.uid >= idEnd) bytes += paxRecordBytes(3, String(header.uid).length);
  return bytes;
}

/** Whether a name that goes into a record is no UTF-8, which readers must be told. */
function needsBinary({ path, pathLength, link, linkLength }: CanonicalHeader): boolean {
  return (
    (pathLength > nameBytesMax && !isUtf8(path.subarray(0, pathLength))) ||
    (linkLength > nameBytesMax && !isUtf8(link.subarray(0, linkLength)))
  );
}

/** The time as the shortest decimal, where ustar cannot say it; else ''. */
function paxTimeText({ mtimeLow, mtimeHigh, nanos }: CanonicalHeader): string {
  if (mtimeHigh === 0 || mtimeHigh === 1) {
    return nanos === 0 ? '' : `${mtimeHigh * 2 ** 32 + mtimeLow}${fractionOf(nanos)}`;
  }
  const seconds = (BigInt(mtimeHigh) << 32n) | BigInt(mtimeLow);
  if (seconds >= 0n || nanos === 0) return `${seconds}${fractionOf(nanos)}`;
  // -6 s and 500,000,000 ns is -5.5 in decimal.
  return `-${-seconds - 1n}${fractionOf(1_000_000_000 - nanos)}`;
}

function fractionOf(nanos: number): string {
  return nanos === 0 ? '' : `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`;
}

/** What stands in the ustar field: the nearest time it can say. */
function ustarTime({ mtimeLow, mtimeHigh }: CanonicalHeader): number {
  if (mtimeHigh < 0) return 0;
  return mtimeHigh > 1 ? timeEnd - 1 : mtimeHigh * 2 ** 32 + mtimeLow;
}

const paxHeader: CanonicalHeader = { ...newHeader(), typeflag: 0x78, path: Buffer.from('././@PaxHeader'), mode: 0o644 };
paxHeader.pathLength = paxHeader.path.length;

function writePax(records: Buffer, target: Uint8Array, at: number): number {
  writeBlock({ ...paxHeader, size: records.length }, target, at, 0);
  const from = at + blockBytes;
  const end = from + padded(records.length);
  target.set(records, from);
  target.fill(0, from + records.length, end);
  return end;
}

const magic = Buffer.from('ustar\x0000', 'latin1');

function writeBlock(header: CanonicalHeader, target: Uint8Array, at: number, time: number): void {
  target.fill(0, at, at + blockBytes);
  let sum = writeText(target, at, header.path, Math.min(header.pathLength, nameBytesMax));
  sum += writeOctal(target, at + 100, 7, header.mode);
  sum += writeOctal(target, at + 108, 7, header.uid < idEnd ? header.uid : 0);
  sum += writeOctal(target, at + 116, 7, header.gid < idEnd ? header.gid : 0);
  sum += writeOctal(target, at + 124, 11, header.size < sizeEnd ? header.size : 0);
  sum += writeOctal(target, at + 136, 11, time);
  sum += target[at + 156] = header.typeflag;
  sum += writeText(target, at + 157, header.link, Math.min(header.linkLength, nameBytesMax));
  sum += writeText(target, at + 257, magic, magic.length);
  sum += writeOctal(target, at + 329, 7, header.deviceMajor);
  sum += writeOctal(target, at + 337, 7, header.deviceMinor);
  // The field of the sum counts as eight spaces.
  writeOctal(target, at + 148, 6, sum + 8 * 0x20);
  target[at + 155] = 0x20;
}

/** Writes bytes; returns their sum. */
function writeText(target: Uint8Array, at: number, text: Uint8Array, length: number): number {
  let sum = 0;
  for (let from = 0; from < length; from++) sum += target[at + from] = text[from]!;
  return sum;
}

/** Writes octal digits; returns their sum. The NUL behind them is there already. */
function writeOctal(target: Uint8Array, at: number, digits: number, value: number): number {
  let sum = 0;
  let rest = value;
  for (let place = at + digits - 1; place >= at; place--) {
    // Sizes and times have up to 33 bits, which is too many for shifting.
    const higher = Math.floor(rest / 8);
    sum += target[place] = 0x30 + rest - higher * 8;
    rest = higher;
  }
  return sum;
}

/** Up to a multiple of 512. */
export function padded(bytes: number): number {
  return Math.ceil(bytes / blockBytes) * blockBytes;
}
