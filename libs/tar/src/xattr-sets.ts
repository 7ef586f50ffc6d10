import { limit } from '#core/limit';
import { paxRecord } from './pax-record.js';
import { parsePax } from './pax.js';
import { ByteHeap } from './byte-heap.js';
import { refusal, type TarPlace } from './refusal.js';

const prefix = 'SCHILY.xattr.';

/**
 * Sets of extended attributes, each kept once and numbered from 1; 0 is the empty set. A set is kept as the PAX records
 * a canonical tar writes for it: sorted by the raw bytes of the name.
 */
export interface XattrSets {
  /** Where each set ends in `xattrText`. */
  readonly xattrEnd: Uint32Array;
  readonly xattrText: Uint8Array;
}

/** The PAX records of a set, as a canonical tar has them. */
export function xattrRecords({ xattrEnd, xattrText }: XattrSets, set: number): Uint8Array {
  return set === 0 ? noBytes : xattrText.subarray(set === 1 ? 0 : xattrEnd[set - 2]!, xattrEnd[set - 1]);
}

/** Names (latin1) and values of a set. */
export function xattrsOf(sets: XattrSets, set: number): Map<string, Buffer> {
  const records = Buffer.from(xattrRecords(sets, set));
  const { values } = parsePax(records, { code: 'LAYER_INVALID', entry: 0, offset: 0 });
  return new Map([...values].map(([key, value]) => [key.slice(prefix.length), value]));
}

const noBytes = new Uint8Array(0);

/** Gives numbers to sets; equal sets get equal numbers. */
export class XattrSetBuilder {
  readonly #heap = new ByteHeap();
  readonly #ends: number[] = [];
  readonly #numbers = new Map<string, number>();

  constructor(from?: XattrSets) {
    for (let set = 1; set <= (from?.xattrEnd.length ?? 0); set++) this.internRecords(xattrRecords(from!, set));
  }

  /** Bytes of all sets. */
  get bytes(): number {
    return this.#heap.length;
  }

  intern(xattrs: ReadonlyMap<string, Buffer>): number {
    if (xattrs.size === 0) return 0;
    const names = [...xattrs.keys()].toSorted(byLatin1);
    return this.internRecords(Buffer.concat(names.map((name) => paxRecord(prefix + name, xattrs.get(name)!))));
  }

  internRecords(records: Uint8Array): number {
    if (records.length === 0) return 0;
    const key = Buffer.from(records.buffer, records.byteOffset, records.length).toString('latin1');
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#heap.append(records);
    const number = this.#ends.push(this.#heap.length);
    this.#numbers.set(key, number);
    return number;
  }

  /** The sets so far. */
  sets(): XattrSets {
    return { xattrEnd: Uint32Array.from(this.#ends), xattrText: this.#heap.toBytes() };
  }

  /** Names and values of a set that was interned. */
  valuesOf(set: number): Map<string, Buffer> {
    if (set === 0) return new Map();
    const records = this.#heap.bytes.slice(this.#ends[set - 2] ?? 0, this.#ends[set - 1]);
    return xattrsOf({ xattrEnd: Uint32Array.of(records.length), xattrText: records }, 1);
  }
}

/** @throws LAYER_INVALID (xattrs-too-large) @see union/SPEC 4.5 */
export function checkXattrs(xattrs: ReadonlyMap<string, Buffer>, place: TarPlace, path: Uint8Array): void {
  if (xattrs.size === 0) return;
  let bytes = 0;
  let isTooLarge = xattrs.size > limit.xattrsPerInodeMax;
  for (const [name, value] of xattrs) {
    bytes += name.length + value.length;
    isTooLarge ||= name.length > limit.xattrNameBytesMax || value.length > limit.xattrValueBytesMax;
  }
  if (isTooLarge || bytes > limit.xattrBytesPerInodeMax) {
    const allowed = `${limit.xattrsPerInodeMax} of names up to ${limit.xattrNameBytesMax} and values up to ${limit.xattrValueBytesMax} bytes`;
    const message = `it has ${xattrs.size} extended attributes of ${bytes} bytes; allowed are ${allowed}`;
    throw refusal(place, 'xattrs-too-large', message, path);
  }
}

/** Latin1 text orders as its bytes do. */
function byLatin1(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
