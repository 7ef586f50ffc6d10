import { type Digest, DigestBuilder, type DiffId } from '#core/digest';
import type { NamedBlob } from '#core/event';
import { layerMediaType } from '#core/media-type';
import type { BlobStore, StagedBlob, StagedDerived } from '#ports/blob-store';
import { decodeLayerIndexInTurns, type LayerIndex, layerIndexPieces, releaseLayerIndex } from '#tar/layer-index';
import { LayerScanner } from '#tar/layer-scanner';
import { decompress } from './decompress.js';
import { indexAddress, keepsIndex, seekableAddress } from './derived-address.js';
import { refuseMismatch, refuseSize } from './mismatch.js';

/** What the sender says of the layer. Each that is given must hold. */
export interface ExpectedLayer {
  readonly digest?: Digest;
  readonly diffId?: DiffId;
  /** Of the bytes as they come, compressed or not. */
  readonly sizeBytes?: number;
}

/** A layer that was read to its end and is valid in itself, stored and not visible yet. */
export interface ReceivedLayer {
  /** Of the bytes as they came. */
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly mediaType: string;
  readonly diffId: DiffId;
  /** Of the uncompressed tar. */
  readonly tarBytes: number;
  /** Its index, which is kept beside the bytes and not in memory. @throws UNAVAILABLE */
  readIndex(): Promise<LayerIndex>;
  /** Makes the bytes durable, then they, the index, if it is kept, and the seekable copy are visible. Once. @throws STORAGE_FULL, UNAVAILABLE (nothing is kept) */
  seal(): Promise<NamedBlob>;
  /** Leaves nothing behind. No effect after `seal`; may always be called. */
  discard(): Promise<void>;
}

/**
 * Takes a layer in one pass: the bytes are stored as they come and hashed; what comes out of them is hashed, checked
 * and indexed, and stored a second time as a plain tar if they were compressed, to be readable at any offset. Closes
 * the source; after an error nothing is kept.
 * @throws LAYER_INVALID, DIGEST_MISMATCH, SIZE_MISMATCH, LIMIT_EXCEEDED, STORAGE_FULL, UNAVAILABLE
 * @see union/SPEC 4.4, 4.5; docs/decision/0002-seekable-copy.md
 */
export async function receiveLayer(
  blobs: BlobStore,
  source: AsyncIterable<Uint8Array>,
  expected: ExpectedLayer = {},
): Promise<ReceivedLayer> {
  const original = await blobs.stageBlob();
  const seekable = await blobs.stageDerived();
  const index = await blobs.stageDerived();
  const discard = async (): Promise<void> => {
    await original.discard();
    await seekable.discard();
    await index.discard();
  };
  try {
    const { compression, bytes } = await decompress(stored(source, original, expected.sizeBytes));
    const tar = await scan(bytes, compression === 'none' ? undefined : seekable);
    const { digest, size: sizeBytes } = await original.finish();
    const diffId = tar.diffId ?? (digest as DiffId);
    refuseSize('layer', expected.sizeBytes, sizeBytes);
    refuseMismatch('the digest of a layer', expected.digest, digest);
    refuseMismatch('the diffID of a layer', expected.diffId, diffId);
    for (const piece of layerIndexPieces(tar.index)) await index.write(piece);
    releaseLayerIndex(tar.index);
    const layer = { digest, sizeBytes, mediaType: layerMediaType(compression), diffId, tarBytes: tar.tarBytes };
    const staged = { original, index, seekable: tar.diffId ? seekable : undefined };
    return {
      ...layer,
      readIndex: async () => decodeLayerIndexInTurns(await index.read()),
      discard,
      seal: () => seal(blobs, layer, staged),
    };
  } catch (error) {
    await discard();
    throw error;
  }
}

/** Keeps what passes. The store works on the bytes while the reader does. */
async function* stored(
  source: AsyncIterable<Uint8Array>,
  original: StagedBlob,
  sizeMax = Infinity,
): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const bytes of source) {
    size += bytes.length;
    if (size > sizeMax) refuseSize('layer', sizeMax, size);
    const written = original.write(bytes);
    written.catch(() => undefined);
    try {
      yield bytes;
    } finally {
      await written;
    }
  }
}

/** Reads the tar once. Without a seekable copy its bytes are the original's, and so is its digest. */
async function scan(
  bytes: AsyncIterable<Uint8Array>,
  seekable: StagedDerived | undefined,
): Promise<{ tarBytes: number; diffId: DiffId | undefined; index: LayerIndex }> {
  const scanner = new LayerScanner();
  const hash = seekable && new DigestBuilder();
  let tarBytes = 0;
  for await (const piece of bytes) {
    tarBytes += piece.length;
    const written = seekable?.write(piece);
    written?.catch(() => undefined);
    try {
      hash?.update(piece);
      scanner.push(piece);
    } finally {
      await written;
    }
  }
  return { tarBytes, diffId: hash?.digest() as DiffId | undefined, index: await scanner.finishInTurns() };
}

interface StagedLayer {
  readonly original: StagedBlob;
  readonly seekable: StagedDerived | undefined;
  readonly index: StagedDerived;
}

async function seal(
  blobs: BlobStore,
  { diffId, tarBytes, mediaType, sizeBytes }: Omit<ReceivedLayer, 'seal' | 'discard' | 'readIndex'>,
  { original, seekable, index }: StagedLayer,
): Promise<NamedBlob> {
  const address = await original.seal();
  try {
    await seekable?.seal(seekableAddress(diffId));
    if (keepsIndex({ tarBytes, isPlain: !seekable })) await index.seal(indexAddress(diffId));
  } catch (error) {
    await blobs.delete(address);
    throw error;
  }
  return { ...address, size: sizeBytes, mediaType, layer: { diffId, tarBytes } };
}

/** Keeps the index of a layer. A store that has one already gets the same again. @throws STORAGE_FULL, UNAVAILABLE */
export async function sealIndex(blobs: BlobStore, diffId: DiffId, index: LayerIndex): Promise<void> {
  const staged = await blobs.stageDerived();
  try {
    for (const piece of layerIndexPieces(index)) await staged.write(piece);
    await staged.seal(indexAddress(diffId));
  } finally {
    await staged.discard();
  }
}
