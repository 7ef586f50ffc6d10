import { unreachable } from '#core/error';
import { limit } from '#core/limit';
import { changesFraming, type PaxRecords, parsePax } from './pax.js';
import { overLimit, refusal, type Rule, type TarPlace } from './refusal.js';
import { gnuSparseNumbers, SparseHead, sparseMap } from './sparse.js';
import { type HeaderDraft, readHeader, type TarHeader } from './tar-entry.js';
import { tarNumber } from './tar-number.js';

/** What a scanner tells, in the order of the tar. Bytes are views of what was pushed. */
export interface TarHandler {
  entry(header: TarHeader): void;
  /** Stored bytes of the last entry: the whole body in one piece whenever it lies in one push. Never empty. */
  body(bytes: Uint8Array): void;
  end(): void;
  /** A global header had values, which mean nothing here. */
  globalHeader?(place: TarPlace): void;
}

export interface TarScannerOptions {
  /** What a broken tar is called. */
  readonly code?: TarPlace['code'];
  readonly fileBytesMax?: number;
  /** A tar without its zero blocks is refused: cut off between two entries it would look whole. Layers may lack them. */
  readonly mustEnd?: boolean;
}

const blockBytes = 512;

type State =
  | 'header'
  /** A payload that is kept: an extended header, a block of a sparse map. */
  | 'payload'
  | 'body'
  | 'padding'
  /** Behind one zero block. */
  | 'zero'
  | 'ended';

/**
 * Reads a tar that is pushed in pieces: V7, ustar, PAX and GNU headers, all four sparse forms. Two readers of one tar
 * must see the same files, so whatever common parsers read in different ways is refused. Keeps at most one extended
 * header (1 MiB) in memory.
 * @throws LAYER_INVALID, LIMIT_EXCEEDED with detail {entry, offset, rule, path?} from `push` and `finish`
 * @see union/SPEC 4.4, 4.5
 */
export class TarScanner {
  readonly #handler: TarHandler;
  readonly #code: TarPlace['code'];
  readonly #fileBytesMax: number;
  readonly #mustEnd: boolean;

  #state: State = 'header';
  /** Bytes pushed so far, up to the one in hand. */
  #position = 0;
  #entries = 0;
  #headerOffset = 0;

  /** A header block, or a payload, that did not come in one piece. */
  #kept: Buffer = Buffer.alloc(0);
  #keptBytes = 0;
  #onPayload: (payload: Buffer) => void = () => {};
  #bodyLeft = 0;
  #bodyIsTold = false;
  #paddingLeft = 0;

  #pax: PaxRecords | null = null;
  #longName: Buffer | null = null;
  #longLink: Buffer | null = null;

  constructor(
    handler: TarHandler,
    { code = 'LAYER_INVALID', fileBytesMax = limit.fileBytesMax, mustEnd = false }: TarScannerOptions = {},
  ) {
    this.#handler = handler;
    this.#code = code;
    this.#fileBytesMax = fileBytesMax;
    this.#mustEnd = mustEnd;
  }

  /** Where the scanner is, for errors about the entry in hand. */
  get place(): TarPlace {
    return { code: this.#code, entry: this.#entries, offset: this.#headerOffset };
  }

  push(bytes: Uint8Array): void {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const start = this.#position;
    for (let at = 0; at < buffer.length;) {
      at += this.#take(buffer, at);
      this.#position = start + at;
    }
  }

  /** Ends the tar: at its zero blocks, or at the end of an entry. @throws LAYER_INVALID when it is cut off */
  finish(): void {
    if (this.#state === 'header' && this.#keptBytes > 0) throw this.#cutOff('truncated-header', 'a header');
    if (this.#state === 'payload' || this.#state === 'body')
      throw this.#cutOff('truncated-body', 'the bytes of an entry');
    const isDangling = this.#pax !== null || this.#longName !== null || this.#longLink !== null;
    if (isDangling && (this.#state === 'header' || this.#state === 'padding')) {
      throw refusal(this.place, 'dangling-extended-header', 'the tar ends behind an extended header');
    }
    if (this.#mustEnd && this.#state !== 'ended' && this.#state !== 'zero') {
      const message = `it ends at byte ${this.#position}, without the zero blocks that end a tar`;
      throw refusal(this.place, 'truncated-header', message);
    }
    this.#state = 'ended';
    this.#handler.end();
  }

  /** Uses some bytes from `at` on; returns how many. */
  #take(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case 'header':
      case 'zero':
        return this.#takeBlock(bytes, at);
      case 'payload':
        return this.#takePayload(bytes, at);
      case 'body':
        return this.#takeBody(bytes, at);
      case 'padding':
        return this.#takePadding(bytes, at);
      case 'ended':
        return bytes.length - at;
      default:
        return unreachable(this.#state);
    }
  }

  #takeBlock(bytes: Buffer, at: number): number {
    if (this.#keptBytes === 0) this.#headerOffset = this.#position;
    if (this.#keptBytes === 0 && bytes.length - at >= blockBytes) {
      this.#block(bytes.subarray(at, at + blockBytes));
      return blockBytes;
    }
    // A new buffer for each split block, since what is read from it are views.
    if (this.#keptBytes === 0) this.#kept = Buffer.allocUnsafe(blockBytes);
    const count = bytes.copy(this.#kept, this.#keptBytes, at, at + blockBytes - this.#keptBytes);
    this.#keptBytes += count;
    if (this.#keptBytes === blockBytes) {
      this.#keptBytes = 0;
      this.#block(this.#kept);
    }
    return count;
  }

  #block(block: Buffer): void {
    if (this.#state === 'zero') {
      if (!isZero(block)) throw refusal(this.place, 'header-after-zero-block', 'one zero block, and then more entries');
      this.#state = 'ended';
    } else if (isZero(block)) this.#state = 'zero';
    else this.#header(block);
  }

  #header(block: Buffer): void {
    const { place } = this;
    checkSum(block, place);
    const size = tarNumber(block, 124, 136, place);
    if (size < 0) throw refusal(place, 'negative-size', `its size is ${size}`);
    switch (block[156]) {
      case 0x78: // x
        if (this.#pax !== null) throw refusal(place, 'two-pax-headers', 'two PAX headers stand before one entry');
        return this.#keep(size, (payload) => (this.#pax = parsePax(payload, place)));
      case 0x67: // g
        return this.#keep(size, (payload) => this.#global(payload, place));
      case 0x4c: // L
        return this.#keep(size, (payload) => (this.#longName = untilNul(payload)));
      case 0x4b: // K
        return this.#keep(size, (payload) => (this.#longLink = untilNul(payload)));
      default:
        return this.#entryHeader(block, place);
    }
  }

  #global(payload: Buffer, place: TarPlace): void {
    const records = parsePax(payload, place);
    if (changesFraming(records)) {
      throw refusal(place, 'global-header', 'a global PAX header names or sizes the entries behind it');
    }
    if (records.values.size > 0) this.#handler.globalHeader?.(place);
  }

  #entryHeader(block: Buffer, place: TarPlace): void {
    const extensions = { pax: this.#pax, longName: this.#longName, longLink: this.#longLink };
    const draft = readHeader(block, extensions, place);
    this.#pax = this.#longName = this.#longLink = null;
    if (draft.storedBytes > this.#fileBytesMax) {
      const message = `its size is ${draft.storedBytes} bytes; the limit is ${this.#fileBytesMax}`;
      throw overLimit(place, 'file-too-large', message, draft.header?.path);
    }
    if (draft.mapContinues) this.#moreOfGnuMap(draft, place);
    else if (draft.form === 'pax-sparse-with-head') this.#sparseHead(draft, new SparseHead(place), place);
    else this.#begin(draft, draft.storedBytes, this.#headerOffset + blockBytes, place);
  }

  #moreOfGnuMap(draft: HeaderDraft, place: TarPlace, blocks = 1): void {
    this.#keep(blockBytes, (block) => {
      const sparseNumbers = gnuSparseNumbers(block, 0, 21, place);
      if (draft.sparseNumbers.length + sparseNumbers.length > limit.sparseSegmentsMax * 2) {
        throw overLimit(place, 'sparse-map', `its sparse map has more than ${limit.sparseSegmentsMax} pieces`);
      }
      (draft.sparseNumbers as number[]).push(...sparseNumbers);
      if (block[504] !== 0) this.#moreOfGnuMap(draft, place, blocks + 1);
      else this.#begin(draft, draft.storedBytes, place.offset + (blocks + 1) * blockBytes, place);
    });
  }

  #sparseHead(draft: HeaderDraft, head: SparseHead, place: TarPlace, blocks = 0): void {
    const left = draft.storedBytes - blocks * blockBytes;
    if (left <= 0) throw refusal(place, 'sparse-map', 'its sparse map does not end before its bytes do');
    this.#keep(Math.min(blockBytes, left), (block) => {
      if (!head.take(block)) return this.#sparseHead(draft, head, place, blocks + 1);
      const storedBytes = Math.max(0, left - blockBytes);
      const whole: HeaderDraft = { ...draft, sparseNumbers: head.numbers };
      this.#begin(whole, storedBytes, place.offset + (blocks + 2) * blockBytes, place);
    });
  }

  /** Tells the entry and turns to its bytes. */
  #begin(draft: HeaderDraft, storedBytes: number, dataOffset: number, place: TarPlace): void {
    const { header, form } = draft;
    const isTold = header !== null && form !== 'ignored';
    if (header !== null) {
      const isSparse = form !== 'plain' && form !== 'ignored';
      const sparse = isSparse ? sparseMap(draft.sparseNumbers, draft.sparseSize, storedBytes, place) : null;
      const told = isTold ? storedBytes : 0;
      this.#handler.entry({ ...header, dataOffset, storedBytes: told, size: sparse?.size ?? told, sparse });
      this.#entries++;
    }
    this.#bodyIsTold = isTold;
    this.#bodyLeft = storedBytes;
    // Of all that the framing counts: a sparse map in front may have used the last, partial block.
    this.#paddingLeft = -draft.storedBytes & (blockBytes - 1);
    this.#state = storedBytes > 0 ? 'body' : this.#paddingLeft > 0 ? 'padding' : 'header';
  }

  /** Collects a payload whole before `use` sees it. */
  #keep(size: number, use: (payload: Buffer) => void): void {
    if (size > limit.paxBytesMax) {
      const message = `an extended header of ${size} bytes is over the limit of ${limit.paxBytesMax}`;
      throw overLimit(this.place, 'extended-header-too-large', message);
    }
    this.#kept = Buffer.allocUnsafe(size);
    this.#keptBytes = 0;
    this.#onPayload = use;
    this.#paddingLeft = -size & (blockBytes - 1);
    if (size > 0) this.#state = 'payload';
    else this.#endPayload();
  }

  #takePayload(bytes: Buffer, at: number): number {
    const count = bytes.copy(this.#kept, this.#keptBytes, at, at + this.#kept.length - this.#keptBytes);
    this.#keptBytes += count;
    if (this.#keptBytes === this.#kept.length) this.#endPayload();
    return count;
  }

  #endPayload(): void {
    this.#keptBytes = 0;
    this.#state = this.#paddingLeft > 0 ? 'padding' : 'header';
    this.#onPayload(this.#kept);
  }

  #takeBody(bytes: Buffer, at: number): number {
    const count = Math.min(this.#bodyLeft, bytes.length - at);
    if (this.#bodyIsTold) this.#handler.body(bytes.subarray(at, at + count));
    this.#bodyLeft -= count;
    if (this.#bodyLeft === 0) this.#state = this.#paddingLeft > 0 ? 'padding' : 'header';
    return count;
  }

  #takePadding(bytes: Buffer, at: number): number {
    const count = Math.min(this.#paddingLeft, bytes.length - at);
    this.#paddingLeft -= count;
    if (this.#paddingLeft === 0) this.#state = 'header';
    return count;
  }

  #cutOff(rule: Rule, what: string): Error {
    // Inside a body, the entry in hand is told and counted already; a volume label never is.
    const isCounted = this.#state === 'body' && this.#bodyIsTold;
    const entry = isCounted ? this.#entries - 1 : this.#entries;
    return refusal({ ...this.place, entry }, rule, `the tar ends at byte ${this.#position}, inside ${what}`);
  }
}

function isZero(block: Buffer): boolean {
  return block[0] === 0 && block.equals(zeroBlock);
}

const zeroBlock = Buffer.alloc(blockBytes);

/** The sum of all bytes, the field itself read as spaces; old writers summed signed bytes. */
function checkSum(block: Buffer, place: TarPlace): void {
  const stored = tarNumber(block, 148, 156, place);
  let unsigned = 8 * 0x20;
  let highBytes = 0;
  for (let at = 0; at < blockBytes; at++) {
    if (at === 148) at = 156;
    const byte = block[at]!;
    unsigned += byte;
    if (byte > 127) highBytes++;
  }
  if (stored !== unsigned && stored !== unsigned - 256 * highBytes) {
    throw refusal(place, 'bad-checksum', `its header sums up to ${unsigned}, and says ${stored}`);
  }
}

function untilNul(payload: Buffer): Buffer {
  const end = payload.indexOf(0);
  return end === -1 ? payload : payload.subarray(0, end);
}
