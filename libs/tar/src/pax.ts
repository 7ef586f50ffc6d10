import { limit } from '#core/limit';
import { refusal, type TarPlace } from './refusal.js';

/** The records of one extended header, the last of a key winning. */
export interface PaxRecords {
  /** By key, read as latin1 so that no byte is lost. */
  readonly values: ReadonlyMap<string, Buffer>;
  /** GNU sparse 0.0 repeats its two keys: offset, length, offset, length, in the order they stood. */
  readonly sparseNumbers: readonly number[];
}

const space = 0x20;
const newline = 0x0a;
const equals = 0x3d;
const shortestRecordBytes = 5;

/** Keys whose values are text of ours or of the file system, where a NUL would end them for some readers only. */
const textKeys = new Set(['path', 'linkpath', 'uname', 'gname']);

/** Reads `length key=value\n` records. @throws LAYER_INVALID (malformed-pax) @see POSIX pax, "Extended Header" */
export function parsePax(bytes: Buffer, place: TarPlace): PaxRecords {
  const values = new Map<string, Buffer>();
  const sparseNumbers: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + recordLength(bytes, at, place);
    const keyAt = bytes.indexOf(space, at) + 1;
    const equalsAt = bytes.subarray(0, end - 1).indexOf(equals, keyAt);
    if (equalsAt <= keyAt) throw malformed(place, 'a record has no key');
    const key = bytes.toString('latin1', keyAt, equalsAt);
    const value = bytes.subarray(equalsAt + 1, end - 1);
    if (key.includes('\0')) throw malformed(place, 'a key has a NUL');
    if (textKeys.has(key) && value.includes(0)) throw malformed(place, `the value of ${key} has a NUL`);
    collectSparse(sparseNumbers, key, value, place);
    values.set(key, value);
    at = end;
  }
  return { values, sparseNumbers };
}

/** The length a record claims, when it can be true: digits, a space, and a newline as the last byte. */
function recordLength(bytes: Buffer, at: number, place: TarPlace): number {
  const left = bytes.length - at;
  let length = 0;
  let digits = at;
  for (; digits < bytes.length; digits++) {
    const digit = bytes[digits]! - 0x30;
    if (digit < 0 || digit > 9) break;
    length = Math.min(length * 10 + digit, left + 1);
  }
  const isLength = digits > at && bytes[digits] === space && length >= shortestRecordBytes && length <= left;
  if (!isLength || bytes[at + length - 1] !== newline || digits >= at + length - 1) {
    throw malformed(place, `a record of its extended header, at byte ${at} of ${bytes.length}, has no true length`);
  }
  return length;
}

function collectSparse(numbers: number[], key: string, value: Buffer, place: TarPlace): void {
  if (key !== 'GNU.sparse.offset' && key !== 'GNU.sparse.numbytes') return;
  const expected = numbers.length % 2 === 0 ? 'GNU.sparse.offset' : 'GNU.sparse.numbytes';
  if (key !== expected) throw refusal(place, 'sparse-map', `its sparse map has ${key} where ${expected} belongs`);
  if (numbers.length >= limit.sparseSegmentsMax * 2) throw refusal(place, 'sparse-map', 'its sparse map is too long');
  numbers.push(paxCount(value, key, place));
}

/** A decimal count without a sign. Past 2^53 it is only "too much", which every caller's limit says. */
export function paxCount(value: Buffer, key: string, place: TarPlace): number {
  const text = value.toString('latin1');
  if (!/^[0-9]+$/.test(text)) throw malformed(place, `${key} is ${JSON.stringify(text)}, not a number`);
  return Number(text);
}

/** A user or group id as written, perhaps negative: the caller checks the range. */
export function paxId(value: Buffer, key: string, place: TarPlace): number {
  const text = value.toString('latin1');
  if (!/^-?[0-9]+$/.test(text)) throw malformed(place, `${key} is ${JSON.stringify(text)}, not a number`);
  return Number(text);
}

/** Seconds rounded down, and nanoseconds from there: -5.5 is -6 s and 500,000,000 ns. */
export interface TarTime {
  readonly seconds: bigint;
  readonly nanos: number;
}

const secondsTextMax = 19;

/**
 * A time in decimal, cut to nine digits after the point.
 * @throws LAYER_INVALID (malformed-time, time-out-of-range)
 */
export function paxTime(value: Buffer, place: TarPlace): TarTime {
  const text = value.toString('latin1');
  const match = /^(-?)([0-9]+)(?:\.([0-9]*))?$/.exec(text);
  const [, sign = '', whole = '', fraction = ''] = match ?? [];
  if (!match || sign.length + whole.length > secondsTextMax) {
    throw refusal(place, 'malformed-time', `mtime is ${JSON.stringify(text.slice(0, 64))}, not a time in seconds`);
  }
  const seconds = BigInt(whole);
  const nanos = Number(fraction.slice(0, 9).padEnd(9, '0'));
  if (seconds >= 2n ** 63n) {
    throw refusal(place, 'time-out-of-range', `its time is ${text} seconds; a time has 64 bits and a sign`);
  }
  if (sign === '') return { seconds, nanos };
  return nanos === 0 ? { seconds: -seconds, nanos } : { seconds: -seconds - 1n, nanos: 1_000_000_000 - nanos };
}

const xattrPrefix = 'SCHILY.xattr.';
const overlayPrefixes = ['trusted.overlay.', 'user.overlay.'];

export interface PaxXattrs {
  readonly kept: ReadonlyMap<string, Buffer>;
  /** Overlay's own attributes: never from a layer. @see union/SPEC 1.2 */
  readonly overlayDropped: boolean;
  /** Vendor records that have no place in a canonical tar. @see union/SPEC 4.3 */
  readonly vendorDropped: boolean;
}

const noXattrs: PaxXattrs = { kept: new Map(), overlayDropped: false, vendorDropped: false };

/** The extended attributes among the records, by name (latin1). */
export function paxXattrs(records: PaxRecords | null): PaxXattrs {
  if (records === null) return noXattrs;
  const kept = new Map<string, Buffer>();
  let overlayDropped = false;
  let vendorDropped = false;
  for (const [key, value] of records.values) {
    const name = key.startsWith(xattrPrefix) ? key.slice(xattrPrefix.length) : undefined;
    if (name === undefined) vendorDropped ||= key.includes('.') && !key.startsWith('GNU.sparse.');
    else if (overlayPrefixes.some((prefix) => name.startsWith(prefix))) overlayDropped = true;
    else kept.set(name, value);
  }
  if (kept.size === 0 && !overlayDropped && !vendorDropped) return noXattrs;
  return { kept, overlayDropped, vendorDropped };
}

const framingKeys = ['path', 'linkpath', 'size'];

/** Whether a global header would rename or resize the entries behind it. */
export function changesFraming(records: PaxRecords): boolean {
  const keys = [...records.values.keys()];
  return keys.some((key) => framingKeys.includes(key) || key.startsWith('GNU.sparse.'));
}

/** The sparse map of GNU 0.0 (repeated records) and 0.1 (one record with commas) as numbers in pairs. */
export function paxSparseNumbers(records: PaxRecords, place: TarPlace): readonly number[] {
  const map = records.values.get('GNU.sparse.map');
  if (map === undefined) return records.sparseNumbers;
  const texts = map.toString('latin1').split(',', limit.sparseSegmentsMax * 2 + 1);
  return texts.filter((text) => text !== '').map((text) => paxCount(Buffer.from(text), 'GNU.sparse.map', place));
}

function malformed(place: TarPlace, message: string): Error {
  return refusal(place, 'malformed-pax', message);
}
