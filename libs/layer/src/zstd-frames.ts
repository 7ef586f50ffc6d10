import { unreachable, VarveError } from '#core/error';
import { limit } from '#core/limit';
import { isSkippableMagic, isZstdMagic } from './compression.js';

/**
 * The same bytes, cut so that no piece reaches over the end of a frame. Node's decoder drops, without an error, what
 * stands behind the end of a frame in one write; cut so, one decoder reads any number of frames, and a layer of zstd
 * in small frames has 100,000 of them.
 * @throws LAYER_INVALID (rules `truncated`, `trailing-garbage`, `corrupt-stream`), LIMIT_EXCEEDED (the window)
 * @see RFC 8878 3.1
 */
export async function* zstdFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const walk = new FrameWalk();
  for await (const bytes of source) {
    for (let from = 0; from < bytes.length;) {
      const to = walk.frameEnd(bytes, from);
      yield bytes.subarray(from, to);
      from = to;
    }
  }
  walk.finish();
}

/** The header fields that are being gathered, or bytes to step over. */
type Step =
  | { readonly type: 'magic' | 'skippable' | 'descriptor' | 'window' | 'block'; readonly count: number }
  | { readonly type: 'pass'; readonly next: Step | 'end' };

const magic: Step = { type: 'magic', count: 4 };
const skippable: Step = { type: 'skippable', count: 4 };
const descriptor: Step = { type: 'descriptor', count: 1 };
const block: Step = { type: 'block', count: 3 };

/** Walks headers and blocks without decoding any. */
class FrameWalk {
  #step: Step = magic;
  #field = Buffer.alloc(0);
  #left = 0;
  #offset = 0;
  #descriptor = 0;

  /** Where in `bytes` the current frame ends, or their length. */
  frameEnd(bytes: Uint8Array, from: number): number {
    for (let at = from; at < bytes.length;) {
      if (this.#step.type === 'pass') {
        const count = Math.min(this.#left, bytes.length - at);
        this.#left -= count;
        at += count;
        if (this.#left === 0 && this.#goOn(this.#step.next)) return this.#reached(from, at);
      } else {
        const count = Math.min(this.#step.count - this.#field.length, bytes.length - at);
        this.#field = Buffer.concat([this.#field, bytes.subarray(at, at + count)]);
        at += count;
        if (this.#field.length === this.#step.count && this.#gathered(this.#step.type)) return this.#reached(from, at);
      }
    }
    return this.#reached(from, bytes.length);
  }

  finish(): void {
    if (this.#step !== magic || this.#field.length > 0) {
      throw invalid('truncated', `the zstd stream ends inside a frame, at byte ${this.#offset}`, this.#offset);
    }
  }

  #reached(from: number, to: number): number {
    this.#offset += to - from;
    return to;
  }

  /** Takes the next step; true when there is none, at the end of a frame. */
  #goOn(next: Step | 'end'): boolean {
    this.#step = next === 'end' ? magic : next;
    return next === 'end';
  }

  #pass(count: number, next: Step | 'end'): boolean {
    if (count === 0) return this.#goOn(next);
    this.#left = count;
    this.#step = { type: 'pass', next };
    return false;
  }

  #gathered(type: Exclude<Step['type'], 'pass'>): boolean {
    const field = this.#field;
    this.#field = Buffer.alloc(0);
    switch (type) {
      case 'magic':
        return this.#startFrame(field);
      case 'skippable':
        return this.#pass(field.readUInt32LE(), 'end');
      case 'descriptor':
        return this.#describe(field.readUInt8());
      case 'window':
        return this.#checkWindow(field);
      case 'block':
        return this.#startBlock(field.readUIntLE(0, 3));
      default:
        return unreachable(type);
    }
  }

  #startFrame(field: Buffer): boolean {
    if (isSkippableMagic(field)) return this.#goOn(skippable);
    if (isZstdMagic(field)) return this.#goOn(descriptor);
    const found = field.toString('hex');
    throw invalid('trailing-garbage', `after the zstd stream comes what is no frame: ${found}`, this.#offset);
  }

  #describe(value: number): boolean {
    this.#descriptor = value;
    return this.#goOn({ type: 'window', count: this.#windowBytes() + this.#dictionaryBytes() + this.#contentBytes() });
  }

  #checkWindow(field: Buffer): boolean {
    const window = this.#isSingle() ? contentSize(field, this.#dictionaryBytes()) : windowSize(field.readUInt8());
    if (window > limit.zstdWindowBytesMax) {
      throw new VarveError(
        'LIMIT_EXCEEDED',
        `a zstd frame wants a window of ${window} bytes; at most ${limit.zstdWindowBytesMax} are given`,
        { limit: 'zstdWindowBytesMax', window: String(window), max: limit.zstdWindowBytesMax },
      );
    }
    return this.#goOn(block);
  }

  #startBlock(header: number): boolean {
    const isLast = (header & 1) === 1;
    const type = (header >> 1) & 3;
    const size = header >> 3;
    if (type === 3) throw invalid('corrupt-stream', 'a zstd block has the reserved type', this.#offset);
    const checksumBytes = (this.#descriptor & 4) === 0 ? 0 : 4;
    // A run-length block has one byte, whatever its size says.
    return this.#pass((type === 1 ? 1 : size) + (isLast ? checksumBytes : 0), isLast ? 'end' : block);
  }

  #isSingle(): boolean {
    return (this.#descriptor & 0x20) !== 0;
  }

  #windowBytes(): number {
    return this.#isSingle() ? 0 : 1;
  }

  #dictionaryBytes(): number {
    return [0, 1, 2, 4][this.#descriptor & 3] as number;
  }

  #contentBytes(): number {
    return [this.#isSingle() ? 1 : 0, 2, 4, 8][this.#descriptor >> 6] as number;
  }
}

function windowSize(value: number): number {
  const base = 2 ** (10 + (value >> 3));
  return base + (base / 8) * (value & 7);
}

function contentSize(field: Buffer, from: number): number {
  const bytes = field.length - from;
  if (bytes === 8) return Number(field.readBigUInt64LE(from));
  return field.readUIntLE(from, bytes) + (bytes === 2 ? 256 : 0);
}

function invalid(rule: string, message: string, offset: number): VarveError {
  return new VarveError('LAYER_INVALID', message, { rule, offset });
}
