import { limit } from '#core/limit';
import { ByteHeap } from './byte-heap.js';
import { type Column, moved } from './columns.js';
import { type LayerEntries, sparseBit, typeNumber, undigested } from './layer-entries.js';
import { overLimit, type TarPlace } from './refusal.js';
import type { TarHeader } from './tar-entry.js';

const blockBytes = 512;

/** What the scanner found out about an entry beside its header. */
export interface EntryFacts {
  readonly role: number;
  readonly xattrs: number;
  /** What to keep as its link; null for none. */
  readonly link: Uint8Array | null;
}

/** The rows of a layer under construction. */
export class LayerEntriesBuilder {
  #count = 0;
  #kind = new Uint8Array(0);
  #pathShared = new Uint16Array(0);
  #pathEnd = new Uint32Array(0);
  #mode = new Uint16Array(0);
  #uid = new Uint32Array(0);
  #gid = new Uint32Array(0);
  #mtimeLow = new Uint32Array(0);
  #mtimeHigh = new Int32Array(0);
  #nanos = new Uint32Array(0);
  #sizeLow = new Uint32Array(0);
  #sizeHigh = new Uint16Array(0);
  #headerBlock = new Uint32Array(0);
  #contentDigest = new Uint8Array(0);
  #xattrs = new Uint32Array(0);
  readonly #paths = new ByteHeap();
  readonly #links = new ByteHeap();
  readonly #linkEntry: number[] = [];
  readonly #linkEnd: number[] = [];
  readonly #devices: [entry: number[], major: number[], minor: number[]] = [[], [], []];
  readonly #sparse: [entry: number[], headBlocks: number[], end: number[]] = [[], [], []];
  readonly #segmentOffset: number[] = [];
  readonly #segmentLength: number[] = [];
  #before = Buffer.allocUnsafe(limit.pathBytesMax);
  #beforeLength = 0;
  /** The bits of every value of a column that may be left out. */
  #uids = 0;
  #gids = 0;
  #mtimeHighs = 0;
  #nanosAny = 0;
  #sizeHighs = 0;
  #xattrsAny = 0;

  get count(): number {
    return this.#count;
  }

  /** Bytes of paths and links. */
  get textBytes(): number {
    return this.#paths.length + this.#links.length;
  }

  /** @throws LIMIT_EXCEEDED (too-many-entries) */
  add(header: TarHeader, path: Uint8Array, pathLength: number, facts: EntryFacts, place: TarPlace): void {
    const entry = this.#count;
    if (entry === this.#kind.length) this.#grow(place);
    this.#count++;
    this.#kind[entry] = typeNumber[header.type] | facts.role | (header.sparse === null ? 0 : sparseBit);
    this.#addPath(entry, path, pathLength);
    this.#mode[entry] = header.mode;
    this.#uids |= this.#uid[entry] = header.uid;
    this.#gids |= this.#gid[entry] = header.gid;
    this.#addTime(entry, header.mtimeSeconds, header.mtimeNanos);
    this.#sizeLow[entry] = header.size % 2 ** 32;
    this.#sizeHighs |= this.#sizeHigh[entry] = Math.floor(header.size / 2 ** 32);
    this.#headerBlock[entry] = header.offset / blockBytes;
    this.#xattrsAny |= this.#xattrs[entry] = facts.xattrs;
    if (facts.link !== null) this.#addLink(entry, facts.link);
    if (header.type === 'char' || header.type === 'block') this.#addDevice(entry, header);
    if (header.sparse !== null) this.#addSparse(entry, header);
  }

  /** The sha256 of the content of the last entry. */
  setDigest(digest: Uint8Array): void {
    this.#contentDigest.set(digest, (this.#count - 1) * 32);
  }

  /** Marks the last entry as one whose content was not hashed. */
  setUndigested(): void {
    this.#kind[this.#count - 1]! |= undigested;
  }

  /** Gives the rows away, column by column, so that none is there twice. May be called once. */
  build(): LayerEntries {
    const rows = this.#count;
    const exact = <T extends Column>(column: T): T => moved(column, rows);
    const unlessZero = <T extends Column>(column: T, bits: number): T => moved(column, bits === 0 ? 0 : rows);
    return {
      count: rows,
      kind: exact(this.#kind),
      pathShared: exact(this.#pathShared),
      pathEnd: exact(this.#pathEnd),
      pathText: this.#paths.take(),
      mode: exact(this.#mode),
      uid: unlessZero(this.#uid, this.#uids),
      gid: unlessZero(this.#gid, this.#gids),
      mtimeLow: exact(this.#mtimeLow),
      mtimeHigh: unlessZero(this.#mtimeHigh, this.#mtimeHighs),
      nanos: unlessZero(this.#nanos, this.#nanosAny),
      sizeLow: exact(this.#sizeLow),
      sizeHigh: unlessZero(this.#sizeHigh, this.#sizeHighs),
      headerBlock: exact(this.#headerBlock),
      contentDigest: moved(this.#contentDigest, rows * 32),
      xattrs: unlessZero(this.#xattrs, this.#xattrsAny),
      linkEntry: Uint32Array.from(this.#linkEntry),
      linkEnd: Uint32Array.from(this.#linkEnd),
      linkText: this.#links.take(),
      deviceEntry: Uint32Array.from(this.#devices[0]),
      deviceMajor: Uint32Array.from(this.#devices[1]),
      deviceMinor: Uint32Array.from(this.#devices[2]),
      sparseEntry: Uint32Array.from(this.#sparse[0]),
      sparseHeadBlocks: Uint32Array.from(this.#sparse[1]),
      sparseEnd: Uint32Array.from(this.#sparse[2]),
      segmentOffset: Float64Array.from(this.#segmentOffset),
      segmentLength: Float64Array.from(this.#segmentLength),
    };
  }

  #addPath(entry: number, path: Uint8Array, length: number): void {
    const before = this.#before;
    const sharedMax = Math.min(length, this.#beforeLength);
    let shared = 0;
    while (shared < sharedMax && before[shared] === path[shared]) shared++;
    for (let at = shared; at < length; at++) before[at] = path[at]!;
    this.#beforeLength = length;
    this.#pathShared[entry] = shared;
    this.#paths.append(path, shared, length);
    this.#pathEnd[entry] = this.#paths.length;
  }

  #addTime(entry: number, seconds: bigint, nanos: number): void {
    const approximately = Number(seconds);
    const isExact = Number.isSafeInteger(approximately);
    const high = isExact ? Math.floor(approximately / 2 ** 32) : Number(BigInt.asIntN(64, seconds) >> 32n);
    this.#mtimeLow[entry] = isExact ? approximately - high * 2 ** 32 : Number(BigInt.asUintN(32, seconds));
    this.#mtimeHighs |= this.#mtimeHigh[entry] = high;
    this.#nanosAny |= this.#nanos[entry] = nanos;
  }

  #addLink(entry: number, link: Uint8Array): void {
    this.#links.append(link);
    this.#linkEntry.push(entry);
    this.#linkEnd.push(this.#links.length);
  }

  #addDevice(entry: number, { deviceMajor, deviceMinor }: TarHeader): void {
    const [entries, majors, minors] = this.#devices;
    entries.push(entry);
    majors.push(deviceMajor);
    minors.push(deviceMinor);
  }

  #addSparse(entry: number, { sparse, offset, dataOffset }: TarHeader): void {
    for (const segment of sparse!.segments) {
      this.#segmentOffset.push(segment.offset);
      this.#segmentLength.push(segment.length);
    }
    const [entries, headBlocks, ends] = this.#sparse;
    entries.push(entry);
    headBlocks.push((dataOffset - offset) / blockBytes - 1);
    ends.push(this.#segmentOffset.length);
  }

  #grow(place: TarPlace): void {
    if (this.#count >= limit.entriesPerLayerMax) {
      throw overLimit(place, 'too-many-entries', `a layer has at most ${limit.entriesPerLayerMax} entries`);
    }
    const rows = Math.min(limit.entriesPerLayerMax, Math.max(256, Math.ceil(this.#count * 1.6)));
    this.#kind = moved(this.#kind, rows);
    this.#pathShared = moved(this.#pathShared, rows);
    this.#pathEnd = moved(this.#pathEnd, rows);
    this.#mode = moved(this.#mode, rows);
    this.#uid = moved(this.#uid, rows);
    this.#gid = moved(this.#gid, rows);
    this.#mtimeLow = moved(this.#mtimeLow, rows);
    this.#mtimeHigh = moved(this.#mtimeHigh, rows);
    this.#nanos = moved(this.#nanos, rows);
    this.#sizeLow = moved(this.#sizeLow, rows);
    this.#sizeHigh = moved(this.#sizeHigh, rows);
    this.#headerBlock = moved(this.#headerBlock, rows);
    this.#contentDigest = moved(this.#contentDigest, rows * 32);
    this.#xattrs = moved(this.#xattrs, rows);
  }
}
