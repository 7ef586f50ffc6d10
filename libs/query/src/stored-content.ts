import { type Digest, DigestBuilder, type DiffId } from '#core/digest';
import { VarveError } from '#core/error';
import type { BlobReader } from '#ports/blob-store';
import { streamBlob } from '#ports/read-blob';

/** Content that lies in a layer's tar. `position` is the byte of the tar where what is stored of it begins. */
export interface StoredContent {
  readonly diffId: DiffId;
  readonly sizeBytes: number;
  readonly position: number;
  /** Stretches that are stored, one behind the other; between them are holes. Null: all of it is stored. */
  readonly segments: readonly { readonly offset: number; readonly length: number }[] | null;
  readonly sha256: Digest | null;
}

const zerosBytes = 256 << 10;

/**
 * The bytes `[from, to)` of a content in fresh chunks. All of it is held against its digest, and the last chunk comes
 * only when that fits; a part of it cannot be.
 * @throws CORRUPT before the last byte when the layer's bytes are not what was indexed; what opening throws
 */
export async function* streamContent(
  content: StoredContent,
  open: (diffId: DiffId) => Promise<BlobReader>,
  { from, to }: { readonly from: number; readonly to: number },
): AsyncGenerator<Uint8Array> {
  if (from >= to) return;
  const reader = await open(content.diffId);
  try {
    const isWhole = from === 0 && to === content.sizeBytes;
    const bytes = stretches(content, reader, { from, to });
    yield* isWhole && content.sha256 !== null ? verified(bytes, content.sha256, content.diffId) : bytes;
  } finally {
    await reader.close();
  }
}

/** Holds the last chunk back until all of them hash to what they should. @throws CORRUPT */
export async function* verified(
  source: AsyncIterable<Uint8Array>,
  expected: Digest,
  diffId: DiffId,
): AsyncGenerator<Uint8Array> {
  const hash = new DigestBuilder();
  let held: Uint8Array | undefined;
  for await (const chunk of source) {
    hash.update(chunk);
    if (held) yield held;
    held = chunk;
  }
  const actual = hash.digest();
  if (actual !== expected) {
    const message = `layer ${diffId} is damaged: content that should hash to ${expected} hashes to ${actual}`;
    throw new VarveError('CORRUPT', message, { layer: diffId, expected, actual });
  }
  if (held) yield held;
}

async function* stretches(
  { position, sizeBytes, segments }: StoredContent,
  reader: BlobReader,
  { from, to }: { readonly from: number; readonly to: number },
): AsyncGenerator<Uint8Array> {
  let at = 0;
  let stored = position;
  const all = segments ?? [{ offset: 0, length: sizeBytes }];
  for (const { offset, length } of [...all, { offset: sizeBytes, length: 0 }]) {
    yield* zeros(Math.min(to, offset) - Math.max(from, at));
    const first = Math.max(from, offset);
    const last = Math.min(to, offset + length);
    if (first < last) yield* streamBlob(reader, stored + first - offset, stored + last - offset);
    stored += length;
    at = offset + length;
  }
}

function* zeros(count: number): Generator<Uint8Array> {
  for (let left = count; left > 0; left -= zerosBytes) yield new Uint8Array(Math.min(left, zerosBytes));
}
