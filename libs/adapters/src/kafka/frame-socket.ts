import { Socket, type SocketConstructorOpts } from 'node:net';

/** More than any answer we ask for: a length that says more is none. */
const frameBytesMax = 64 << 20;
const lengthBytes = 4;
/** Every answer begins with the number of its question. */
const frameBytesMin = 4;

/**
 * A connection to a broker that hands on whole answers only. kafkajs keeps the part of an answer that a connection broke
 * off in, and reads the next connection's bytes as its rest: then it waits for ever, or throws where nobody catches it,
 * and the process ends. Here that part ends with its connection.
 */
export class FrameSocket extends Socket {
  readonly #frameBytesMax: number;
  /** What has come of an answer that is not whole. */
  #chunks: Buffer[] = [];
  #sizeBytes = 0;
  #neededBytes = lengthBytes;

  constructor(options: SocketConstructorOpts & { readonly frameBytesMax?: number } = {}) {
    super(options);
    this.#frameBytesMax = options.frameBytesMax ?? frameBytesMax;
  }

  /** Called by the stream for what has arrived; null is the end. */
  override push(chunk: Buffer | null): boolean {
    if (chunk === null) return super.push(null);
    this.#chunks.push(chunk);
    this.#sizeBytes += chunk.length;
    if (this.#sizeBytes < this.#neededBytes) return true;
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    const end = this.#endOfWhole(bytes);
    if (end === undefined) {
      this.destroy(new Error(`${this.remoteAddress}:${this.remotePort} sent an answer of no length that one can have`));
      return false;
    }
    this.#chunks = [bytes.subarray(end)];
    this.#sizeBytes = bytes.length - end;
    return end === 0 || super.push(bytes.subarray(0, end));
  }

  /** kafkajs lets go of a connection as often as it fails; one that is gone would wait each time for its next beginning. */
  override unref(): this {
    return this.destroyed ? this : super.unref();
  }

  /** Up to where answers are whole, and how many bytes the next one wants; undefined when a length is none. */
  #endOfWhole(bytes: Buffer): number | undefined {
    let at = 0;
    for (;;) {
      this.#neededBytes = lengthBytes;
      if (bytes.length - at < lengthBytes) return at;
      const frameBytes = bytes.readInt32BE(at);
      if (frameBytes < frameBytesMin || frameBytes > this.#frameBytesMax) return undefined;
      this.#neededBytes = lengthBytes + frameBytes;
      if (bytes.length - at < this.#neededBytes) return at;
      at += this.#neededBytes;
    }
  }
}
