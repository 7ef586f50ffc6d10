import { VarveError } from '#core/error';
import type { DiffId } from '#core/digest';
import type { BlobReader } from '#ports/blob-store';

/** Layers that are open at one time; container builders write few large ones. */
const openLayersMax = 32;
const windowBytesMin = 32 << 10;
const windowBytesMax = 256 << 10;
/** From here on a body is read straight to where it goes. */
const directBytesMin = 64 << 10;

interface OpenLayer {
  readonly diffId: DiffId;
  readonly reader: BlobReader;
  /** Bytes read ahead, and where in the layer they begin. */
  window: Buffer;
  windowAt: number;
  windowLength: number;
}

/**
 * The bytes of files in layers. Small neighbours, which is what the files of a directory mostly are, are served from one
 * read ahead. Opens layers when they are needed and closes all that it opened.
 */
export class LayerBodies {
  readonly #openLayer: (diffId: DiffId) => Promise<BlobReader>;
  /** In the order of their last use. */
  readonly #open = new Map<DiffId, OpenLayer>();

  constructor(openLayer: (diffId: DiffId) => Promise<BlobReader>) {
    this.#openLayer = openLayer;
  }

  /** Copies into `target` when the bytes are at hand; false means "use `read`". Saves a turn of the event loop. */
  readNow(diffId: DiffId, position: number, target: Buffer): boolean {
    const layer = this.#open.get(diffId);
    return layer !== undefined && copyFromWindow(layer, position, target);
  }

  /** Fills `target` with the bytes of a layer from `position` on. @throws CORRUPT when the layer ends before them */
  async read(diffId: DiffId, position: number, target: Buffer): Promise<void> {
    const layer = await this.#layer(diffId);
    if (copyFromWindow(layer, position, target)) return;
    if (target.length >= directBytesMin) await fill(layer, target, position, target.length);
    else {
      await readAhead(layer, position, target.length);
      if (!copyFromWindow(layer, position, target)) throw endsEarly(layer, position, target.length);
    }
  }

  async close(): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(open.map(({ reader }) => reader.close()));
  }

  async #layer(diffId: DiffId): Promise<OpenLayer> {
    const known = this.#open.get(diffId);
    this.#open.delete(diffId);
    const layer = known ?? {
      diffId,
      reader: await this.#openLayer(diffId),
      window: noBytes,
      windowAt: 0,
      windowLength: 0,
    };
    this.#open.set(diffId, layer);
    for (const [oldest, { reader }] of this.#open) {
      if (this.#open.size <= openLayersMax) break;
      this.#open.delete(oldest);
      await reader.close();
    }
    return layer;
  }
}

const noBytes = Buffer.alloc(0);

function copyFromWindow({ window, windowAt, windowLength }: OpenLayer, position: number, target: Buffer): boolean {
  const from = position - windowAt;
  if (from < 0 || from + target.length > windowLength) return false;
  window.copy(target, 0, from, from + target.length);
  return true;
}

/** Reads a window from `position` on; a larger one while the reads go forward through the layer. */
async function readAhead(layer: OpenLayer, position: number, least: number): Promise<void> {
  const end = layer.windowAt + layer.windowLength;
  const goesOn = layer.windowLength > 0 && position >= layer.windowAt && position <= end + windowBytesMax;
  const wanted = goesOn ? Math.min(layer.window.length * 2, windowBytesMax) : windowBytesMin;
  const bytes = Math.max(wanted, least);
  if (layer.window.length < bytes) layer.window = Buffer.allocUnsafeSlow(bytes);
  const length = Math.min(bytes, layer.reader.size - position);
  layer.windowLength = 0;
  await fill(layer, layer.window, position, length);
  layer.windowAt = position;
  layer.windowLength = length;
}

async function fill(layer: OpenLayer, target: Buffer, position: number, length: number): Promise<void> {
  for (let done = 0; done < length;) {
    const count = await layer.reader.read(target.subarray(done, length), position + done);
    if (count === 0) throw endsEarly(layer, position + done, length - done);
    done += count;
  }
}

function endsEarly({ diffId, reader }: OpenLayer, position: number, bytes: number): VarveError {
  const message = `layer ${diffId} ends at byte ${reader.size}; expected ${bytes} bytes of a file at ${position}`;
  return new VarveError('CORRUPT', message, { layer: diffId, sizeBytes: reader.size, position, bytes });
}
