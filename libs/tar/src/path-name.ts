import { limit } from '#core/limit';
import { overLimit, refusal, type TarPlace } from './refusal.js';

const slash = 0x2f;
const dot = 0x2e;

/**
 * A name in a tar as the path it means: no empty or `.` components, `..` resolved by its text, relative to the root,
 * joined with `/`. One of these is used for many names; `bytes` is good until the next `read`.
 * @see union/SPEC 4.2 step 1
 */
export class PathName {
  bytes: Buffer = Buffer.allocUnsafe(2 * limit.pathBytesMax);
  length = 0;
  /** Components; 0 is the root itself. */
  depth = 0;
  /** Where the last component begins. */
  baseAt = 0;
  /** Whether some component began with `.wh.`; nearly none does. */
  mayBeMarker = false;
  readonly #starts: number[] = [];

  /** @throws LAYER_INVALID (nul-in-name, path-escapes, component-too-long, path-too-long), LIMIT_EXCEEDED */
  read(raw: Uint8Array, place: TarPlace, what = 'name'): void {
    if (raw.includes(0)) throw refusal(place, 'nul-in-name', `its ${what} has a NUL`, raw);
    if (this.bytes.length <= raw.length) this.bytes = Buffer.allocUnsafe(raw.length + 1);
    const starts = this.#starts;
    starts.length = this.length = 0;
    this.mayBeMarker = false;
    for (let from = 0; from < raw.length;) {
      let to = from;
      while (to < raw.length && raw[to] !== slash) to++;
      this.#component(raw, from, to, place, what);
      from = to + 1;
    }
    this.depth = starts.length;
    this.baseAt = starts.at(-1) ?? 0;
    if (this.length > limit.pathBytesMax) {
      const message = `its ${what} has ${this.length} bytes; the limit is ${limit.pathBytesMax}`;
      throw refusal(place, 'path-too-long', message, raw);
    }
    if (this.depth > limit.depthMax) throw tooDeep(place, this.depth, raw);
  }

  /** The bytes themselves, for messages. */
  get view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  #component(raw: Uint8Array, from: number, to: number, place: TarPlace, what: string): void {
    const length = to - from;
    if (length === 0 || (length === 1 && raw[from] === dot)) return;
    const starts = this.#starts;
    if (length === 2 && raw[from] === dot && raw[from + 1] === dot) {
      if (starts.length === 0) throw refusal(place, 'path-escapes', `its ${what} leads out of the root`, raw);
      this.length = Math.max(0, starts.pop()! - 1);
      return;
    }
    if (length > limit.componentBytesMax) throw componentTooLong(place, length, raw);
    if (this.length > 0) this.bytes[this.length++] = slash;
    starts.push(this.length);
    if (raw[from] === dot && raw[from + 1] === 0x77 && raw[from + 2] === 0x68 && raw[from + 3] === dot) {
      this.mayBeMarker = true;
    }
    for (let at = from; at < to; at++) this.bytes[this.length++] = raw[at]!;
  }
}

export function componentTooLong(place: TarPlace, length: number, path: Uint8Array): Error {
  const message = `a component of its path has ${length} bytes; the limit is ${limit.componentBytesMax}`;
  return refusal(place, 'component-too-long', message, path);
}

export function tooDeep(place: TarPlace, depth: number, path: Uint8Array): Error {
  return overLimit(place, 'path-too-deep', `it is ${depth} directories deep; the limit is ${limit.depthMax}`, path);
}

/** Orders paths as the canonical tar does: by components, so that `/` is below every other byte. */
export function comparePaths(
  a: Uint8Array,
  aFrom: number,
  aTo: number,
  b: Uint8Array,
  bFrom: number,
  bTo: number,
): number {
  const length = Math.min(aTo - aFrom, bTo - bFrom);
  for (let at = 0; at < length; at++) {
    const x = a[aFrom + at]!;
    const y = b[bFrom + at]!;
    if (x !== y) return x === slash ? -1 : y === slash ? 1 : x - y;
  }
  return aTo - aFrom - (bTo - bFrom);
}

/** Orders the raw bytes of two components. */
export function compareNames(
  a: Uint8Array,
  aFrom: number,
  aTo: number,
  b: Uint8Array,
  bFrom: number,
  bTo: number,
): number {
  const length = Math.min(aTo - aFrom, bTo - bFrom);
  for (let at = 0; at < length; at++) {
    const difference = a[aFrom + at]! - b[bFrom + at]!;
    if (difference !== 0) return difference;
  }
  return aTo - aFrom - (bTo - bFrom);
}
