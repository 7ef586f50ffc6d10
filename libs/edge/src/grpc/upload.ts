import { VarveError } from '#core/error';

/** A message of an upload: the header first, then pieces of the bytes. */
export interface UploadMessage<Header> {
  readonly part?:
    | { readonly $case: 'header'; readonly value: Header }
    | { readonly $case: 'chunk'; readonly value: Uint8Array }
    | undefined;
}

/** An upload whose header has come. `bytes` may be read once; null: the stream ended and there are none. */
export interface Upload<Header> {
  readonly header: Header;
  readonly bytes: AsyncGenerator<Uint8Array> | null;
}

/**
 * Reads the header and the first piece. @throws REQUEST_INVALID for anything else in their place; from `bytes`:
 * REQUEST_INVALID for a second header, CANCELLED when the sender goes away
 */
export async function openUpload<Header>(
  messages: AsyncIterable<UploadMessage<Header>>,
  signal: AbortSignal,
): Promise<Upload<Header>> {
  const source = messages[Symbol.asyncIterator]();
  const first = await next(source, signal);
  if (first?.part?.$case !== 'header') {
    const found = first === undefined ? 'no message' : (first.part?.$case ?? 'neither header nor chunk');
    await source.return?.();
    throw new VarveError('REQUEST_INVALID', `the stream begins with ${found}: its first message must be the header`);
  }
  const header = first.part.value;
  const piece = await next(source, signal);
  return { header, bytes: piece === undefined ? null : piecesOf(piece, source, signal) };
}

async function* piecesOf<Header>(
  first: UploadMessage<Header>,
  source: AsyncIterator<UploadMessage<Header>>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    for (let message: typeof first | undefined = first; message; message = await next(source, signal)) {
      const { part } = message;
      if (part?.$case !== 'chunk') {
        const found = part ? 'a second header' : 'a message that is neither header nor chunk';
        throw new VarveError('REQUEST_INVALID', `the stream has ${found} where its next bytes should be`);
      }
      if (part.value.length > 0) yield part.value;
    }
  } finally {
    await source.return?.();
  }
}

/** A stream that is cut is not one that ended: what it brought so far must not look whole. */
async function next<Message>(source: AsyncIterator<Message>, signal: AbortSignal): Promise<Message | undefined> {
  try {
    const step = await source.next();
    signal.throwIfAborted();
    return step.done ? undefined : step.value;
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
}
