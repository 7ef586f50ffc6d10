import { type Digest, digestFromHex, digestOf, type DiffId, hexOf } from '#core/digest';
import { VarveError } from '#core/error';
import type { BlobReader, DerivedAddress } from '#ports/blob-store';
import type { StoredBody } from '#ports/body-source';
import { type Columns, decodeColumns, encodeColumns } from '#tar/columns';

export const bodyPackVersion = 1;
const format = 'varve-body-pack';
const magic = 0x31505656; // "VVP1"
const headBytes = 8;
const digestBytes = 32;
const alignment = 8;
/** A table that says it is larger than this is no table. */
const tableBytesMax = 1 << 30;

/** Its key is the digest of its table, which says all that is in it. */
export function packAddress(key: Digest): DerivedAddress {
  return { kind: 'pack', version: bodyPackVersion, key };
}

/**
 * The table of a body pack: bodies of many layers in one object, in the order a checkout wants them, each with the
 * sha256 of the file it is of, so that neither a layer nor its index need be opened for them. Derived: any pack may be
 * deleted at any time. The object is a head, this table, and the bodies.
 * @see design 5
 */
export class BodyPack {
  readonly key: Digest;
  /** Bytes of the whole object. */
  readonly size: number;
  readonly layers: readonly DiffId[];
  readonly #rowEnd: Uint32Array;
  readonly #entry: Uint32Array;
  readonly #place: Uint32Array;
  readonly #digest: Uint8Array;
  readonly #bodiesAt: number;

  private constructor(table: Uint8Array) {
    const { u8, u32, f64 } = decodeColumns(table, format, bodyPackVersion);
    const hex = Buffer.from(u8('layers')).toString('hex');
    this.key = digestOf(table);
    this.layers = Array.from(
      { length: hex.length / digestBytes / 2 },
      (_, at) => digestFromHex(hex.slice(at * digestBytes * 2, (at + 1) * digestBytes * 2)) as DiffId,
    );
    this.#rowEnd = u32('rowEnd');
    this.#entry = u32('entry');
    this.#place = u32('place');
    this.#digest = u8('digest');
    this.#bodiesAt = aligned(headBytes + table.length);
    this.size = this.#bodiesAt + f64('bodyBytes')[0]!;
  }

  /** Lays out a pack of these bodies, in their order; `digests` are the sha256 of their files, zeros where there is none. */
  static lay(bodies: readonly StoredBody[], digests: readonly Uint8Array[]): { head: Uint8Array; pack: BodyPack } {
    const layers = [...new Set(bodies.map(({ diffId }) => diffId))];
    const numbers = new Map(layers.map((diffId, number) => [diffId, number]));
    const places = new Map<StoredBody, number>();
    let end = 0;
    for (const body of bodies) {
      places.set(body, end / alignment);
      end += packedBytes(body.bytes);
    }
    const rows = [...bodies.keys()].toSorted((a, b) => {
      const [x, y] = [bodies[a]!, bodies[b]!];
      return numbers.get(x.diffId)! - numbers.get(y.diffId)! || x.entry - y.entry;
    });
    const rowEnd = new Uint32Array(layers.length);
    for (const [at, row] of rows.entries()) rowEnd[numbers.get(bodies[row]!.diffId)!] = at + 1;
    const columns: Columns = {
      layers: Buffer.from(layers.map(hexOf).join(''), 'hex'),
      rowEnd,
      entry: Uint32Array.from(rows, (row) => bodies[row]!.entry),
      place: Uint32Array.from(rows, (row) => places.get(bodies[row]!)!),
      digest: Buffer.concat(rows.map((row) => digests[row]!)),
      bodyBytes: Float64Array.of(end),
    };
    const table = encodeColumns(format, bodyPackVersion, columns);
    const head = Buffer.alloc(aligned(headBytes + table.length));
    head.writeUInt32LE(magic, 0);
    head.writeUInt32LE(table.length, 4);
    head.set(table, headBytes);
    return { head, pack: new BodyPack(table) };
  }

  /** @throws CORRUPT when the object is not whole, or not a pack of this key; UNAVAILABLE */
  static async read(reader: BlobReader, key: Digest): Promise<BodyPack> {
    const head = Buffer.alloc(headBytes);
    const isHead = (await reader.read(head, 0)) === headBytes && head.readUInt32LE(0) === magic;
    const tableBytes = head.readUInt32LE(4);
    if (!isHead || tableBytes > Math.min(tableBytesMax, reader.size - headBytes)) throw damaged(key);
    const table = Buffer.alloc(tableBytes);
    for (let done = 0; done < tableBytes;) {
      const count = await reader.read(table.subarray(done), headBytes + done);
      if (count === 0) throw damaged(key);
      done += count;
    }
    const pack = new BodyPack(table);
    if (pack.key !== key || pack.size !== reader.size) throw damaged(key);
    return pack;
  }

  /** Memory the table takes. */
  get tableBytes(): number {
    return this.layers.length * 300 + this.#entry.length * (8 + digestBytes);
  }

  get bodies(): number {
    return this.#entry.length;
  }

  /** The row of an entry of a layer of the pack by its number, or -1. */
  row(layer: number, entry: number): number {
    let low = layer === 0 ? 0 : this.#rowEnd[layer - 1]!;
    let high = this.#rowEnd[layer]! - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      if (this.#entry[middle] === entry) return middle;
      if (this.#entry[middle]! < entry) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** Where the body of a row begins in the object. */
  position(row: number): number {
    return this.#bodiesAt + this.#place[row]! * alignment;
  }

  /**
   * Every row with what it is of, in the order of the object; `end` is where the next body begins. An empty one has the
   * place of the one behind it.
   */
  *places(): Generator<{ diffId: DiffId; entry: number; row: number; position: number; end: number }> {
    const layerOf = new Uint32Array(this.bodies);
    for (let layer = 1; layer < this.layers.length; layer++) layerOf.fill(layer, this.#rowEnd[layer - 1]);
    const rows = Uint32Array.from(layerOf.keys()).toSorted((a, b) => this.#place[a]! - this.#place[b]!);
    for (let at = 0, next = 0; at < rows.length; at++) {
      const row = rows[at]!;
      const position = this.position(row);
      while (next < rows.length && this.position(rows[next]!) <= position) next++;
      const end = next < rows.length ? this.position(rows[next]!) : this.size;
      yield { diffId: this.layers[layerOf[row]!]!, entry: this.#entry[row]!, row, position, end };
    }
  }

  /** The sha256 of the file of a row: 32 bytes, zeros for none. */
  digest(row: number): Uint8Array {
    return this.#digest.subarray(row * digestBytes, (row + 1) * digestBytes);
  }
}

/** What a body takes in a pack. */
export function packedBytes(bytes: number): number {
  return aligned(bytes);
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

function damaged(key: Digest): VarveError {
  return new VarveError('CORRUPT', `a stored body pack is not the one its key says`, { key });
}
