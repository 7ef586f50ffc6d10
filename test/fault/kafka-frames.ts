/** Kafka's number for a request that appends. */
export const produceKey = 0;

/** Cuts a stream of Kafka's protocol into its frames: a length of four bytes, and so many bytes. */
export class FrameCutter {
  #left: Buffer = Buffer.alloc(0);

  /** The frames that are whole now, each with its length before it. */
  push(chunk: Buffer): Buffer[] {
    let bytes = this.#left.length === 0 ? chunk : Buffer.concat([this.#left, chunk]);
    const frames: Buffer[] = [];
    for (let end = endOf(bytes); end <= bytes.length; end = endOf(bytes)) {
      frames.push(bytes.subarray(0, end));
      bytes = bytes.subarray(end);
    }
    this.#left = bytes;
    return frames;
  }
}

function endOf(bytes: Buffer): number {
  return bytes.length < 4 ? Number.POSITIVE_INFINITY : 4 + bytes.readInt32BE(0);
}

/** What a request asks for, as Kafka numbers it. */
export function requestKey(frame: Buffer): number {
  return frame.readInt16BE(4);
}

/** What links a request with its answer, chosen by the client for its connection. */
export function correlationOf(frame: Buffer, direction: 'request' | 'answer'): number {
  return frame.readInt32BE(direction === 'request' ? 8 : 4);
}
