import type { DiffId } from '#core/digest';
import { VarveError } from '#core/error';
import type { BlobReader } from '#ports/blob-store';
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

/** Spans of one layer that are read together, in the order of the layer. */
interface Run {
  readonly diffId: DiffId;
  readonly position: number;
  end: number;
  readonly spans: BodyPiece[];
}

interface OpenLayer {
  readonly reader: Promise<BlobReader>;
  users: number;
}

/**
 * Brings the content of files from layers into chunks. What a chunk needs is known before the first read, so neighbours
 * in a layer are read together, in whatever order the tar wants them, and several reads are on their way at once.
 */
export class LayerReads {
  readonly #openLayer: (diffId: DiffId) => Promise<BlobReader>;
  /** In the order of their last use. */
  readonly #open = new Map<DiffId, OpenLayer>();
  /** Buffers for runs, used again. */
  readonly #spare: Buffer[] = [];

  constructor(openLayer: (diffId: DiffId) => Promise<BlobReader>) {
    this.#openLayer = openLayer;
  }

  /**
   * Reads the pieces, which stand in the order of the chunk, into it. May also write between them, so what belongs
   * there is to be written afterwards. @throws CORRUPT when a layer ends before what it should have
   */
  async into(chunk: Buffer, pieces: readonly BodyPiece[]): Promise<void> {
    const runs = runsOf(spansOf(pieces));
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
    const layer = this.#layer(run.diffId);
    layer.users++;
    try {
      const reader = await layer.reader;
      await turns.take(() => this.#readRun(reader, run, chunk));
    } finally {
      layer.users--;
      await this.#closeOldest();
    }
  }

  async #readRun(reader: BlobReader, run: Run, chunk: Buffer): Promise<void> {
    const [only, ...others] = run.spans;
    if (others.length > 0) await this.#readTogether(reader, run, chunk);
    else await readFully(reader, run.diffId, chunk.subarray(only!.at, only!.at + only!.length), only!.position);
  }

  async #readTogether(reader: BlobReader, run: Run, chunk: Buffer): Promise<void> {
    const spare = this.#spare.pop() ?? Buffer.allocUnsafeSlow(runBytesMax);
    try {
      await readFully(reader, run.diffId, spare.subarray(0, run.end - run.position), run.position);
      for (const { position, at, length } of run.spans) {
        spare.copy(chunk, at, position - run.position, position - run.position + length);
      }
    } finally {
      this.#spare.push(spare);
    }
  }

  #layer(diffId: DiffId): OpenLayer {
    const layer = this.#open.get(diffId) ?? { reader: this.#openLayer(diffId), users: 0 };
    this.#open.delete(diffId);
    this.#open.set(diffId, layer);
    return layer;
  }

  async #closeOldest(): Promise<void> {
    for (const [diffId, { reader, users }] of this.#open) {
      if (this.#open.size <= openLayersMax) return;
      if (users > 0) continue;
      this.#open.delete(diffId);
      await closeIfOpen(reader);
    }
  }
}

/**
 * Joins pieces that follow each other in the chunk as they do in their layer. A layer written in path order has its
 * headers where the canonical tar has them, so most of a chunk is one span that needs no copying.
 */
function spansOf(pieces: readonly BodyPiece[]): BodyPiece[] {
  const spans: BodyPiece[] = [];
  for (const piece of pieces) {
    const last = spans.at(-1);
    const isNext =
      last !== undefined &&
      last.diffId === piece.diffId &&
      piece.position - last.position === piece.at - last.at &&
      piece.at - last.at - last.length <= gapBytesMax;
    if (isNext) spans[spans.length - 1] = { ...last, length: piece.at + piece.length - last.at };
    else spans.push(piece);
  }
  return spans;
}

/** Sorts the spans by layer and position, and joins those that lie near to each other. */
function runsOf(spans: readonly BodyPiece[]): Run[] {
  const byLayer = Map.groupBy(spans, ({ diffId }) => diffId);
  return [...byLayer].flatMap(([diffId, ofLayer]) => {
    const runs: Run[] = [];
    let run: Run | undefined;
    for (const span of ofLayer.toSorted((a, b) => a.position - b.position)) {
      const end = span.position + span.length;
      const isNear =
        run !== undefined &&
        span.length < directBytesMin &&
        end - run.position <= runBytesMax &&
        span.position - run.end <= gapBytesMax;
      if (run === undefined || !isNear) runs.push((run = { diffId, position: span.position, end, spans: [span] }));
      else {
        run.spans.push(span);
        run.end = Math.max(run.end, end);
      }
      if (span.length >= directBytesMin) run = undefined;
    }
    return runs;
  });
}

async function readFully(reader: BlobReader, diffId: DiffId, target: Buffer, position: number): Promise<void> {
  for (let done = 0; done < target.length;) {
    const count = await reader.read(target.subarray(done), position + done);
    if (count === 0) throw endsEarly(reader, diffId, position + target.length);
    done += count;
  }
}

function endsEarly({ size }: BlobReader, diffId: DiffId, expected: number): VarveError {
  const message = `layer ${diffId} ends at byte ${size}; expected the content of a file up to byte ${expected}`;
  return new VarveError('CORRUPT', message, { layer: diffId, sizeBytes: size, expected });
}

/** A layer that did not open has told so where it was needed. */
async function closeIfOpen(reader: Promise<BlobReader>): Promise<void> {
  const open = await reader.catch(() => undefined);
  await open?.close();
}
