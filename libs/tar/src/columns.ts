import { createHash, hash } from 'node:crypto';
import { endianness } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { assert, VarveError } from '#core/error';

/** One field of many rows. */
export type Column = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array;
export type Columns = Readonly<Record<string, Column>>;

const kinds = { u8: Uint8Array, u16: Uint16Array, u32: Uint32Array, i32: Int32Array, f64: Float64Array } as const;
type Kind = keyof typeof kinds;

/** `[name, kind, byte offset, rows]` */
type Section = readonly [string, Kind, number, number];

/** What stands before the columns, in JSON. */
export interface Directory {
  readonly format: string;
  readonly version: number;
  readonly sections: readonly Section[];
}

export const magic = 0x31435656; // "VVC1"
export const headBytes = 8;
const alignment = 8;
export const digestBytes = 32;

/** So many bytes are hashed in about a millisecond. */
const pieceBytes = 1 << 20;

/**
 * Columns as bytes: a head, a directory in JSON, the columns as they lie in memory (little endian, aligned, so that
 * reading them back copies nothing), and the sha256 of all that.
 */
export function encodeColumns(format: string, version: number, columns: Columns): Uint8Array {
  const { head, places, end } = layOut(format, version, columns);
  const bytes = Buffer.alloc(end + digestBytes);
  bytes.set(head, 0);
  for (const [column, offset] of places) bytes.set(bytesOf(column), offset);
  hash('sha256', bytes.subarray(0, end), 'buffer').copy(bytes, end);
  return bytes;
}

/**
 * The same bytes in pieces of at most 1 MiB, most of them views of the columns: for columns that are too many to be
 * copied or hashed at once. Each piece is hashed when it is asked for.
 */
export function* columnPieces(format: string, version: number, columns: Columns): Generator<Uint8Array> {
  const { head, places, end } = layOut(format, version, columns);
  if (end <= pieceBytes) {
    yield encodeColumns(format, version, columns);
    return;
  }
  const digest = createHash('sha256');
  const told = (piece: Uint8Array): Uint8Array => (digest.update(piece), piece);
  yield told(head);
  for (const [at, [column, offset]] of places.entries()) {
    const bytes = bytesOf(column);
    for (let from = 0; from < bytes.length; from += pieceBytes) yield told(bytes.subarray(from, from + pieceBytes));
    const gap = (places[at + 1]?.[1] ?? end) - offset - bytes.length;
    if (gap > 0) yield told(new Uint8Array(gap));
  }
  yield digest.digest();
}

interface Layout {
  /** With the directory, up to where the first column begins. */
  readonly head: Uint8Array;
  /** Columns and where they begin. */
  readonly places: readonly (readonly [Column, number])[];
  /** Of all columns. */
  readonly end: number;
}

function layOut(format: string, version: number, columns: Columns): Layout {
  assertLittleEndian();
  const names = Object.keys(columns);
  const sectionsFrom = (start: number): { sections: Section[]; end: number } => {
    let end = start;
    const sections = names.map((name): Section => {
      const column = columns[name]!;
      const section: Section = [name, kindOf(column), end, column.length];
      end = aligned(end + column.byteLength);
      return section;
    });
    return { sections, end };
  };
  // Offsets are counted from behind the directory, which so does not depend on its own length.
  const { sections, end } = sectionsFrom(0);
  const directory = Buffer.from(JSON.stringify({ format, version, sections } satisfies Directory));
  const start = aligned(headBytes + directory.length);
  const head = Buffer.alloc(start);
  head.writeUInt32LE(magic, 0);
  head.writeUInt32LE(directory.length, 4);
  directory.copy(head, headBytes);
  return {
    head,
    places: sections.map(([name, , offset]) => [columns[name]!, start + offset] as const),
    end: start + end,
  };
}

function bytesOf(column: Column): Uint8Array {
  return new Uint8Array(column.buffer, column.byteOffset, column.byteLength);
}

/**
 * Columns as they were encoded; views of `bytes` where it is aligned.
 * @throws CORRUPT when the bytes are not whole, not of this format, or do not hash to what they say
 */
export function decodeColumns(bytes: Uint8Array, format: string, version: number): ReadColumns {
  const whole = alignedBuffer(bytes);
  refuseOther(whole, format, () => hash('sha256', whole.subarray(0, -digestBytes), 'buffer'));
  return readColumns(whole, format, version);
}

/** The same, but many bytes are hashed a piece at a time, with a turn for everybody else in between. @throws CORRUPT */
export async function decodeColumnsInTurns(bytes: Uint8Array, format: string, version: number): Promise<ReadColumns> {
  if (bytes.length <= pieceBytes) return decodeColumns(bytes, format, version);
  const whole = alignedBuffer(bytes);
  const digest = createHash('sha256');
  for (let from = 0; from < whole.length - digestBytes; from += pieceBytes) {
    digest.update(whole.subarray(from, Math.min(from + pieceBytes, whole.length - digestBytes)));
    await setImmediate();
  }
  refuseOther(whole, format, () => digest.digest());
  return readColumns(whole, format, version);
}

function refuseOther(whole: Buffer, format: string, digest: () => Buffer): void {
  if (whole.length < headBytes + digestBytes || whole.readUInt32LE(0) !== magic)
    throw corrupt(format, 'is not columns');
  if (!digest().equals(whole.subarray(-digestBytes))) throw corrupt(format, 'does not hash to the digest at its end');
}

function readColumns(whole: Buffer, format: string, version: number): ReadColumns {
  assertLittleEndian();
  const directoryEnd = headBytes + whole.readUInt32LE(4);
  const directory = JSON.parse(whole.toString('utf8', headBytes, directoryEnd)) as Directory;
  if (directory.format !== format || directory.version !== version) {
    const found = `${directory.format} ${directory.version}`;
    throw corrupt(format, `is ${found}; expected ${format} ${version}`);
  }
  const start = aligned(directoryEnd);
  const columns = new Map<string, Column>();
  for (const [name, kind, offset, rows] of directory.sections) {
    columns.set(name, new kinds[kind](whole.buffer as ArrayBuffer, whole.byteOffset + start + offset, rows));
  }
  return new ReadColumns(format, columns);
}

/** Columns by name and kind. @throws CORRUPT for one that is not there */
export class ReadColumns {
  readonly #format: string;
  readonly #columns: ReadonlyMap<string, Column>;

  constructor(format: string, columns: ReadonlyMap<string, Column>) {
    this.#format = format;
    this.#columns = columns;
  }

  u8 = (name: string): Uint8Array => this.#get(name, Uint8Array);
  u16 = (name: string): Uint16Array => this.#get(name, Uint16Array);
  u32 = (name: string): Uint32Array => this.#get(name, Uint32Array);
  i32 = (name: string): Int32Array => this.#get(name, Int32Array);
  f64 = (name: string): Float64Array => this.#get(name, Float64Array);

  #get<T extends Column>(name: string, kind: new (length: number) => T): T {
    const column = this.#columns.get(name);
    if (!(column instanceof kind)) throw corrupt(this.#format, `has no column ${name}`);
    return column;
  }
}

/** A column without what was only reserved; nothing at all when every value is zero, which readers take as zeros. */
export function zeroColumnIsEmpty<T extends Column>(column: T, rows: number, isZero: boolean): T {
  return column.slice(0, isZero ? 0 : rows) as T;
}

/** The value of a column that may have been left out because all of it is zero. */
export function orZero(column: Column, row: number): number {
  return column.length === 0 ? 0 : column[row]!;
}

/**
 * The column with other rows, the new ones zero. The column itself is given up, so that there is never more than one of
 * them longer than the copy takes: nothing may look at it any more.
 */
export function moved<T extends Column>(column: T, rows: number): T {
  const make = column.constructor as new (buffer: ArrayBuffer) => T;
  return new make((column.buffer as ArrayBuffer).transfer(rows * column.BYTES_PER_ELEMENT));
}

/** Gives the memory of columns back now, and not when the collector comes to it. Nothing may look at them any more. */
export function release(...columns: readonly Column[]): void {
  for (const { buffer } of columns as readonly { readonly buffer: ArrayBuffer }[]) {
    if (!buffer.detached) buffer.transfer(0);
  }
}

function kindOf(column: Column): Kind {
  for (const [kind, make] of Object.entries(kinds)) if (column instanceof make) return kind as Kind;
  throw new VarveError('INTERNAL', `a ${column.constructor.name} is no column`);
}

function alignedBuffer(bytes: Uint8Array): Buffer {
  const source = bytes.byteOffset % alignment === 0 ? bytes : Uint8Array.prototype.slice.call(bytes);
  return Buffer.from(source.buffer, source.byteOffset, source.length);
}

/** Columns begin at multiples of 8. */
export function aligned(offset: number): number {
  return Math.ceil(offset / alignment) * alignment;
}

function assertLittleEndian(): void {
  assert(endianness() === 'LE', 'columns are stored as little endian memory has them');
}

export function corrupt(format: string, message: string): VarveError {
  return new VarveError('CORRUPT', `a stored ${format} ${message}`, { format });
}
