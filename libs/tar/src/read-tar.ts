import { assert } from '#core/error';
import { limit } from '#core/limit';
import { TarScanner } from './scan-tar.js';
import type { SparseMap } from './sparse.js';
import type { EntryType, TarHeader } from './tar-entry.js';

/** One entry of a tar in the making. `body()` may be called once, before the next entry is asked for. */
export interface TarEntry {
  /** 0-based, and the byte offset of its header. */
  readonly index: number;
  readonly offset: number;
  /** Raw bytes, as written. */
  readonly path: Buffer;
  readonly type: EntryType;
  /** Bytes of content, the holes of a sparse file counted. */
  readonly size: number;
  readonly link: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: bigint;
  readonly mtimeNanos: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Names read as latin1, so that no byte is lost. */
  readonly xattrs: ReadonlyMap<string, Buffer>;
  /** The content, `size` bytes in all; the holes of a sparse file as zeros. */
  body(): AsyncIterable<Uint8Array>;
}

type Told = { readonly header: TarHeader } | { readonly bytes: Uint8Array } | 'end';

/** Pieces are cut to this size, so that what waits to be read stays small whatever the source yields. */
const pieceBytes = 1 << 18;

/**
 * The entries of a tar that streams in. Pulls from `source` only when more is asked for; a body that is not read is
 * skipped. Holds one piece of the source, never a body. Closes the source when it ends or is left.
 * @throws ARCHIVE_INVALID (a broken or cut-off tar, also one without the zero blocks at its end), LIMIT_EXCEEDED, with detail {entry, offset, rule, path?}
 */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const events = new TarEvents(source);
  try {
    for (let told = await events.next(); told !== 'end'; told = await events.next()) {
      if ('header' in told) yield entryOf(told.header, events);
    }
  } finally {
    await events.close();
  }
}

function entryOf(header: TarHeader, events: TarEvents): TarEntry {
  const { xattrs, sparse, storedBytes, size } = header;
  let isTaken = false;
  return {
    ...header,
    xattrs: xattrs.kept,
    body() {
      assert(!isTaken, 'the body of a tar entry is read twice');
      isTaken = true;
      const stored = events.body(header.index, storedBytes);
      return sparse === null ? stored : withHoles(stored, sparse, size);
    },
  };
}

/** What the scanner tells, one thing at a time; turns pushing into pulling. */
class TarEvents {
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #scanner: TarScanner;
  readonly #waiting: Told[] = [];
  #taken = 0;
  #current = -1;
  #isOver = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#pieces = piecesOf(source);
    const handler = {
      entry: (header: TarHeader) => this.#waiting.push({ header }),
      body: (bytes: Uint8Array) => this.#waiting.push({ bytes }),
      end: () => this.#waiting.push('end'),
    };
    // An archive's members are whole layers.
    this.#scanner = new TarScanner(handler, {
      code: 'ARCHIVE_INVALID',
      fileBytesMax: limit.layerBytesMax,
      mustEnd: true,
    });
  }

  async next(): Promise<Told> {
    while (this.#taken === this.#waiting.length) {
      this.#waiting.length = this.#taken = 0;
      if (this.#isOver) return 'end';
      const piece = await this.#pieces.next();
      if (piece.done) {
        this.#isOver = true;
        this.#scanner.finish();
      } else this.#scanner.push(piece.value);
    }
    const told = this.#waiting[this.#taken++]!;
    if (told !== 'end' && 'header' in told) this.#current = told.header.index;
    return told;
  }

  async *body(index: number, storedBytes: number): AsyncGenerator<Uint8Array> {
    for (let left = storedBytes; left > 0;) {
      assert(this.#current === index, 'the body of a tar entry is read after the next entry was asked for');
      const told = await this.next();
      assert(told !== 'end' && 'bytes' in told, 'the scanner told an entry before the body of the last one was over');
      left -= told.bytes.length;
      yield told.bytes;
    }
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await this.#pieces.return?.();
  }
}

async function* piecesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const bytes of source) {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  }
}

const zeros = Buffer.alloc(1 << 16);

/** A sparse file as it reads: zeros between its pieces. */
async function* withHoles(
  stored: AsyncIterable<Uint8Array>,
  sparse: SparseMap,
  size: number,
): AsyncGenerator<Uint8Array> {
  let position = 0;
  let piece = 0;
  for await (const bytes of stored) {
    for (let at = 0; at < bytes.length;) {
      const { offset, length } = sparse.segments[piece]!;
      yield* zerosOf(offset - position);
      position = Math.max(position, offset);
      const count = Math.min(bytes.length - at, offset + length - position);
      yield bytes.subarray(at, at + count);
      position += count;
      at += count;
      if (position === offset + length) piece++;
    }
  }
  yield* zerosOf(size - position);
}

function* zerosOf(count: number): Generator<Uint8Array> {
  for (let left = count; left > 0; left -= zeros.length) yield zeros.subarray(0, Math.min(left, zeros.length));
}
