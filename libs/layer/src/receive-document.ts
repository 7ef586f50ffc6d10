import type { Digest } from '#core/digest';
import { VarveError } from '#core/error';
import type { NamedBlob } from '#core/event';
import { limit } from '#core/limit';
import type { BlobStore } from '#ports/blob-store';
import { refuseMismatch } from './mismatch.js';

/** A config or manifest, stored byte for byte and not visible yet. */
export interface ReceivedDocument {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly mediaType: string;
  /** Makes it durable and visible. Once. @throws STORAGE_FULL, UNAVAILABLE */
  seal(): Promise<NamedBlob>;
  /** Leaves nothing behind. No effect after `seal`; may always be called. */
  discard(): Promise<void>;
}

/**
 * Takes the bytes of a document as they are. After an error nothing is kept.
 * @throws LIMIT_EXCEEDED (`limit.documentBytesMax`), DIGEST_MISMATCH, STORAGE_FULL, UNAVAILABLE
 */
export async function receiveDocument(
  blobs: BlobStore,
  bytes: Uint8Array,
  mediaType: string,
  expected: { readonly digest?: Digest } = {},
): Promise<ReceivedDocument> {
  if (bytes.length > limit.documentBytesMax) {
    throw new VarveError(
      'LIMIT_EXCEEDED',
      `a document of ${bytes.length} bytes is too large; at most ${limit.documentBytesMax} are read`,
      { limit: 'documentBytesMax', bytes: bytes.length, max: limit.documentBytesMax },
    );
  }
  const staged = await blobs.stageBlob();
  try {
    await staged.write(bytes);
    const { digest, size } = await staged.finish();
    refuseMismatch(`the digest of a document (${mediaType})`, expected.digest, digest);
    return {
      digest,
      sizeBytes: size,
      mediaType,
      seal: async () => ({ ...(await staged.seal()), size, mediaType, layer: null }),
      discard: () => staged.discard(),
    };
  } catch (error) {
    await staged.discard();
    throw error;
  }
}
