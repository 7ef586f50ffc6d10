import { limit } from '#core/limit';
import { overLimit, refusal, type TarPlace } from './refusal.js';
import { tarNumber } from './tar-number.js';

/** A piece of a sparse file that has bytes; all the rest reads as zeros. In bytes of the file's content. */
export interface SparseSegment {
  readonly offset: number;
  readonly length: number;
}

/** A file with holes: its size as read, and the pieces that are stored, one after the other. */
export interface SparseMap {
  readonly size: number;
  readonly segments: readonly SparseSegment[];
}

/**
 * Checks a map: pieces in order, none over the end or another, together exactly the bytes stored.
 * @throws LAYER_INVALID (sparse-map), LIMIT_EXCEEDED
 */
export function sparseMap(numbers: readonly number[], size: number, storedBytes: number, place: TarPlace): SparseMap {
  if (size > limit.fileBytesMax) throw tooLong(place, size);
  if (numbers.length > limit.sparseSegmentsMax * 2) {
    throw overLimit(place, 'sparse-map', `its sparse map has more than ${limit.sparseSegmentsMax} pieces`);
  }
  if (numbers.length % 2 !== 0) throw refusal(place, 'sparse-map', 'its sparse map has an offset without a length');
  const segments: SparseSegment[] = [];
  let end = 0;
  let total = 0;
  for (let at = 0; at < numbers.length; at += 2) {
    const offset = numbers[at]!;
    const length = numbers[at + 1]!;
    if (!(offset >= 0 && length >= 0 && offset + length <= size)) throw outside(place, offset, length, size);
    if (length === 0) continue;
    if (offset < end) throw refusal(place, 'sparse-map', `a piece of its sparse map at ${offset} begins before ${end}`);
    end = offset + length;
    total += length;
    segments.push({ offset, length });
  }
  if (total !== storedBytes) {
    throw refusal(place, 'sparse-map', `its sparse map names ${total} bytes, and ${storedBytes} are stored`);
  }
  return { size, segments };
}

function tooLong(place: TarPlace, size: number): Error {
  return overLimit(place, 'file-too-large', `its size is ${size} bytes; the limit is ${limit.fileBytesMax}`);
}

function outside(place: TarPlace, offset: number, length: number, size: number): Error {
  return refusal(place, 'sparse-map', `a piece of its sparse map, ${offset}+${length}, is outside its ${size} bytes`);
}

const pairBytes = 24;

/**
 * Reads the pairs of a GNU `S` map from a header or from one of the blocks behind it, which have room for `count`; room
 * that is not used is zero and counts for nothing.
 */
export function gnuSparseNumbers(block: Uint8Array, from: number, count: number, place: TarPlace): number[] {
  const numbers: number[] = [];
  for (let at = from; at < from + count * pairBytes; at += pairBytes) {
    const offset = tarNumber(block, at, at + 12, place);
    const length = tarNumber(block, at + 12, at + pairBytes, place);
    if (offset !== 0 || length !== 0) numbers.push(offset, length);
  }
  return numbers;
}

const longestNumberDigits = 19;
const newline = 0x0a;

/**
 * The map of GNU sparse 1.0, which stands in front of the stored bytes as decimal lines: the number of pieces, then
 * offset and length of each, padded to a block. Takes it as it comes, and never more than the limit allows.
 */
export class SparseHead {
  readonly #place: TarPlace;
  #numbers: number[] = [];
  #value = 0;
  #digits = 0;
  #piecesLeft = -1;

  constructor(place: TarPlace) {
    this.#place = place;
  }

  get numbers(): readonly number[] {
    return this.#numbers;
  }

  /** Takes one block of the body. Returns true when the map is complete; the rest of that block is padding. */
  take(block: Uint8Array): boolean {
    for (const byte of block) {
      if (byte === newline) this.#endLine();
      else this.#digit(byte);
      if (this.#piecesLeft === 0) return true;
    }
    return false;
  }

  #digit(byte: number): void {
    const digit = byte - 0x30;
    if (digit < 0 || digit > 9 || ++this.#digits > longestNumberDigits) {
      throw refusal(this.#place, 'sparse-map', 'its sparse map, in front of its bytes, is not lines of numbers');
    }
    this.#value = this.#value * 10 + digit;
  }

  #endLine(): void {
    if (this.#digits === 0) throw refusal(this.#place, 'sparse-map', 'its sparse map has an empty line');
    if (this.#piecesLeft < 0) this.#startPieces(this.#value);
    else {
      this.#numbers.push(this.#value);
      if (this.#numbers.length % 2 === 0) this.#piecesLeft--;
    }
    this.#value = 0;
    this.#digits = 0;
  }

  #startPieces(count: number): void {
    if (count > limit.sparseSegmentsMax) {
      throw overLimit(
        this.#place,
        'sparse-map',
        `its sparse map has ${count} pieces; the limit is ${limit.sparseSegmentsMax}`,
      );
    }
    this.#piecesLeft = count;
  }
}
