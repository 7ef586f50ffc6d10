import type { Digest, DiffId } from '#core/digest';
import { VarveError } from '#core/error';
import type { BlobReader } from '#ports/blob-store';
import type { BodySource } from '#ports/body-source';
import type { BodyPiece } from './rootfs-layout.js';
import { Turns } from './turns.js';

/**
 * Reads that are on their way at one time, of all checkouts of the process: one less than its thread pool has threads,
 * so that a commit beside many checkouts finds a thread that is not theirs.
 */
const readsAtOnce = 3;
const turns = new Turns(readsAtOnce);
/** Layers that stay open; container builders write few large ones. */
const openLayersMax = 32;
/** What lies this near to each other in a layer is read in one go: that costs less than another read. */
const gapBytesMax = 128 << 10;
/** From here on copying costs more than a read of its own. */
const directBytesMin = 128 << 10;
const runBytesMax = 1 << 20;

/** A piece of the chunk, and where it is read: in its layer, or in a pack. */
interface Span {
  readonly source: Digest;
  readonly isPack: boolean;
  readonly position: number;
  readonly at: number;
  readonly length: number;
}

/** Spans of one source that are read together, in the order of the source. */
interface Run {
  readonly source: Digest;
  readonly isPack: boolean;
  readonly position: number;
  end: number;
  readonly spans: Span[];
}

interface OpenSource {
  readonly reader: Promise<BlobReader>;
  users: number;
}

/**
 * Brings the content of files from layers into chunks. What a chunk needs is known before the first read, so neighbours
 * in a layer are read together, in whatever order the tar wants them, and several reads are on their way at once.
 */
export class LayerReads {
  readonly #bodies: BodySource;
  /** In the order of their last use. */
  readonly #open = new Map<Digest, OpenSource>();
  /** Buffers for runs, used again. */
  readonly #spare: Buffer[] = [];

  constructor(bodies: BodySource) {
    this.#bodies = bodies;
  }

  /**
   * Reads the pieces, which stand in the order of the chunk, into it. May also write between them, so what belongs
   * there is to be written afterwards. @throws CORRUPT when a layer ends before what it should have
   */
  async into(chunk: Buffer, pieces: readonly BodyPiece[]): Promise<void> {
    const packed = pieces.map((piece) => this.#placed(piece));
    const packs = new Set(packed.filter(({ isPack }) => isPack).map(({ source }) => source));
    if (packs.size === 0) return this.#readAll(chunk, packed);
    try {
      await this.#readAll(chunk, packed);
    } catch {
      // A pack may be deleted or damaged at any time; what it had, the layers have. Their errors come again.
      for (const pack of packs) this.#bodies.forgetPack(pack);
      await this.#readAll(chunk, pieces.map(inLayer));
    }
  }

  #placed(piece: BodyPiece): Span {
    const place = this.#bodies.packed(piece.diffId, piece.entry);
    if (!place) return inLayer(piece);
    const { at, length, offset } = piece;
    return { source: place.pack, isPack: true, position: place.position + offset, at, length };
  }

  async #readAll(chunk: Buffer, placed: readonly Span[]): Promise<void> {
    const runs = runsOf(spansOf(placed));
    const next = runs.values();
    const worker = async (): Promise<void> => {
      for (const run of next) await this.#read(run, chunk);
    };
    const workers = Array.from({ length: Math.min(readsAtOnce, runs.length) }, worker);
    // All of them end before an error is told: whoever is told closes the readers.
    const ended = await Promise.allSettled(workers);
    for (const end of ended) if (end.status === 'rejected') throw end.reason;
  }

  async close(): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(open.map(async ({ reader }) => await closeIfOpen(reader)));
  }

  async #read(run: Run, chunk: Buffer): Promise<void> {
    const source = this.#source(run);
    source.users++;
    try {
      const reader = await source.reader;
      await turns.take(() => this.#readRun(reader, run, chunk));
    } finally {
      source.users--;
      await this.#closeOldest();
    }
  }

  async #readRun(reader: BlobReader, run: Run, chunk: Buffer): Promise<void> {
    const [only, ...others] = run.spans;
    if (others.length > 0) await this.#readTogether(reader, run, chunk);
    else await readFully(reader, run, chunk.subarray(only!.at, only!.at + only!.length), only!.position);
  }

  async #readTogether(reader: BlobReader, run: Run, chunk: Buffer): Promise<void> {
    const spare = this.#spare.pop() ?? Buffer.allocUnsafeSlow(runBytesMax);
    try {
      await readFully(reader, run, spare.subarray(0, run.end - run.position), run.position);
      for (const { position, at, length } of run.spans) {
        spare.copy(chunk, at, position - run.position, position - run.position + length);
      }
    } finally {
      this.#spare.push(spare);
    }
  }

  #source({ source, isPack }: Run): OpenSource {
    const open = this.#open.get(source) ?? { reader: this.#openSource(source, isPack), users: 0 };
    this.#open.delete(source);
    this.#open.set(source, open);
    return open;
  }

  #openSource(source: Digest, isPack: boolean): Promise<BlobReader> {
    return isPack ? this.#bodies.openPack(source) : this.#bodies.openLayer(source as DiffId);
  }

  async #closeOldest(): Promise<void> {
    for (const [source, { reader, users }] of this.#open) {
      if (this.#open.size <= openLayersMax) return;
      if (users > 0) continue;
      this.#open.delete(source);
      await closeIfOpen(reader);
    }
  }
}

function inLayer({ diffId, position, at, length }: BodyPiece): Span {
  return { source: diffId, isPack: false, position, at, length };
}

/**
 * Joins pieces that follow each other in the chunk as they do in their layer. A layer written in path order has its
 * headers where the canonical tar has them, so most of a chunk is one span that needs no copying.
 */
function spansOf(pieces: readonly Span[]): Span[] {
  const spans: Span[] = [];
  for (const piece of pieces) {
    const last = spans.at(-1);
    const isNext =
      last !== undefined &&
      last.source === piece.source &&
      piece.position - last.position === piece.at - last.at &&
      piece.at - last.at - last.length <= gapBytesMax;
    if (isNext) spans[spans.length - 1] = { ...last, length: piece.at + piece.length - last.at };
    else spans.push(piece);
  }
  return spans;
}

/** Sorts the spans by layer and position, and joins those that lie near to each other. */
function runsOf(spans: readonly Span[]): Run[] {
  const bySource = Map.groupBy(spans, ({ source }) => source);
  return [...bySource.values()].flatMap((ofSource) => {
    const runs: Run[] = [];
    let run: Run | undefined;
    for (const span of ofSource.toSorted((a, b) => a.position - b.position)) {
      const end = span.position + span.length;
      const isNear =
        run !== undefined &&
        span.length < directBytesMin &&
        end - run.position <= runBytesMax &&
        span.position - run.end <= gapBytesMax;
      if (run === undefined || !isNear) runs.push((run = { ...span, end, spans: [span] }));
      else {
        run.spans.push(span);
        run.end = Math.max(run.end, end);
      }
      if (span.length >= directBytesMin) run = undefined;
    }
    return runs;
  });
}

async function readFully(reader: BlobReader, run: Run, target: Buffer, position: number): Promise<void> {
  for (let done = 0; done < target.length;) {
    const count = await reader.read(target.subarray(done), position + done);
    if (count === 0) throw endsEarly(reader, run.source, position + target.length);
    done += count;
  }
}

function endsEarly({ size }: BlobReader, diffId: Digest, expected: number): VarveError {
  const message = `layer ${diffId} ends at byte ${size}; expected the content of a file up to byte ${expected}`;
  return new VarveError('CORRUPT', message, { layer: diffId, sizeBytes: size, expected });
}

/** A layer that did not open has told so where it was needed. */
async function closeIfOpen(reader: Promise<BlobReader>): Promise<void> {
  const open = await reader.catch(() => undefined);
  await open?.close();
}
