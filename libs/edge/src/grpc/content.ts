import { VarveError } from '#core/error';
import type { ContentHead, ContentPart } from '#proto/gen/varve/v1/content';
import type { OpenedBytes } from '../command/rootfs.js';

/** More is sent in several messages: clients take 4 MiB unless they are told otherwise. */
const chunkBytesMax = 1 << 20;

/** Bytes that have a name before they are opened, and a size before they are read. */
export interface NamedBytes {
  /** As an ETag, in quotes. */
  readonly etag: string;
  open(): Promise<OpenedBytes>;
}

/** What a message of a byte stream says. */
export type ContentMessage =
  | { readonly head: ContentHead; readonly chunk?: undefined }
  | { readonly chunk: Buffer; readonly head?: undefined };

/**
 * The head, then the part of the bytes that is asked for.
 * @throws REF_STALE when `if_match` names other bytes, RANGE_INVALID when the offset is behind their end, REQUEST_INVALID
 */
export async function* contentMessages(
  bytes: NamedBytes,
  part: ContentPart | undefined,
): AsyncGenerator<ContentMessage> {
  checkSame(bytes.etag, part);
  const { offset, length } = readPart(part);
  const opened = await bytes.open();
  try {
    const { size } = opened;
    if (offset > size) {
      throw new VarveError('RANGE_INVALID', `offset ${offset} is outside the ${size} bytes`, { offset, size });
    }
    yield { head: { etag: bytes.etag, sizeBytes: size, offset } };
    const to = Math.min(size, length === undefined ? size : offset + length);
    if (to > offset) yield* chunksOf(opened.read(offset, to));
  } finally {
    await opened.close?.();
  }
}

/** The same for bytes whose size nobody knows before their end: always all of them. */
export async function* streamMessages(
  etag: string,
  part: ContentPart | undefined,
  open: () => Promise<AsyncIterable<Uint8Array>>,
): AsyncGenerator<ContentMessage> {
  checkSame(etag, part);
  const { offset, length } = readPart(part);
  if (offset !== 0 || (length !== undefined && length !== 0)) {
    throw new VarveError('REQUEST_INVALID', 'what is compressed on the way has no part: ask for all of it', { offset });
  }
  yield { head: { etag, sizeBytes: undefined, offset: 0 } };
  if (length === undefined) yield* chunksOf(await open());
}

async function* chunksOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<ContentMessage> {
  for await (const bytes of source) {
    for (let at = 0; at < bytes.length; at += chunkBytesMax) {
      const size = Math.min(chunkBytesMax, bytes.length - at);
      yield { chunk: Buffer.from(bytes.buffer, bytes.byteOffset + at, size) };
    }
  }
}

function readPart(part: ContentPart | undefined): { readonly offset: number; readonly length: number | undefined } {
  const { offset = 0, length } = part ?? {};
  if (offset < 0 || (length !== undefined && length < 0)) {
    throw new VarveError('REQUEST_INVALID', `offset ${offset} and length ${length} are no part of anything`, {
      offset,
      length,
    });
  }
  return { offset, length };
}

function checkSame(etag: string, part: ContentPart | undefined): void {
  const wanted = part?.ifMatch ?? '';
  if (wanted === '' || wanted === etag) return;
  throw new VarveError('REF_STALE', `the bytes have the ETag ${etag}, and if_match wants ${wanted}`, {
    expected: wanted,
    actual: etag,
  });
}
