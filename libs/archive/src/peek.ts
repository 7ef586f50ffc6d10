/** The first bytes of a stream, and the whole stream again. `head` is shorter than `bytes` only when the stream is. */
export interface Peeked {
  readonly head: Buffer;
  readonly all: AsyncIterable<Uint8Array>;
}

/** Reads ahead just far enough to see what a stream is. `all` may be read once. */
export async function peek(source: AsyncIterable<Uint8Array>, bytes: number): Promise<Peeked> {
  const iterator = source[Symbol.asyncIterator]();
  const chunks: Buffer[] = [];
  for (let length = 0; length < bytes;) {
    const next = await iterator.next();
    if (next.done) break;
    // A copy: the source may use its buffer again once it is asked for more.
    chunks.push(Buffer.from(next.value));
    length += next.value.length;
  }
  const ahead = Buffer.concat(chunks);
  return { head: ahead.subarray(0, bytes), all: chained(ahead, iterator) };
}

async function* chained(ahead: Buffer, iterator: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    if (ahead.length > 0) yield ahead;
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
  } finally {
    await iterator.return?.();
  }
}
