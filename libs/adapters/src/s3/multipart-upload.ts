import { VarveError } from '#core/error';
import type { PartBuffers } from './part-buffers.js';
import type { S3Requests, UploadedPart } from './s3-requests.js';
import { UploadMarker } from './upload-marker.js';

/** S3's. */
const partsMax = 10_000;

export interface UploadSettings {
  readonly requests: S3Requests;
  readonly buffers: PartBuffers;
  /** The prefix of markers. */
  readonly staging: string;
  readonly partBytes: number;
  readonly sweepAfterMs: number;
}

export interface FilledBuffer {
  readonly buffer: Buffer;
  /** Its first bytes are what counts. */
  readonly size: number;
}

/** Parts of this size are enough for so many bytes. */
export function partBytesFor(sizeBytesMax: number, partBytes: number): number {
  return Math.max(partBytes, Math.ceil(sizeBytesMax / partsMax));
}

/**
 * An object that goes up in parts, several at a time, and is visible when it is complete. Whoever begins one completes
 * or aborts it; one that nobody could abort is swept by its marker.
 */
export class MultipartUpload {
  readonly #settings: UploadSettings;
  readonly #key: string;
  readonly #uploadId: string;
  /** Nobody knows of another upload of ours with this key. */
  readonly #isOnly: boolean;
  readonly #marker: UploadMarker;
  readonly #parts: Promise<UploadedPart | undefined>[] = [];
  #failure: unknown;
  #size = 0;

  private constructor(
    settings: UploadSettings,
    { key, uploadId, isOnly, marker }: { key: string; uploadId: string; isOnly: boolean; marker: UploadMarker },
  ) {
    this.#settings = settings;
    this.#key = key;
    this.#uploadId = uploadId;
    this.#isOnly = isOnly;
    this.#marker = marker;
  }

  /** @throws UNAVAILABLE */
  static async begin(settings: UploadSettings, key: string): Promise<MultipartUpload> {
    const marker = new UploadMarker(settings.requests, { staging: settings.staging, key });
    await marker.set(settings.sweepAfterMs);
    try {
      return new MultipartUpload(settings, { key, marker, ...(await settings.requests.beginUpload(key)) });
    } catch (error) {
      // It may have begun for all we know.
      marker.abandon();
      throw error;
    }
  }

  get name(): string {
    return this.#marker.name;
  }

  /**
   * Sends the next part when its turn comes: `fill` gives a buffer of `buffers`, which is given back, and how much of it
   * is the part. An error of an earlier part is thrown here. @throws STORAGE_FULL, UNAVAILABLE, LIMIT_EXCEEDED
   */
  async push(fill: () => Promise<FilledBuffer> | FilledBuffer): Promise<void> {
    const part = this.#parts.length + 1;
    if (part > partsMax) throw tooManyParts(this.#key, this.#settings.partBytes);
    await this.#settings.buffers.turn();
    this.#parts.push(this.#send(part, fill));
    if (this.#failure !== undefined) throw this.#failure as Error;
  }

  /** Makes the object visible. @throws STORAGE_FULL, UNAVAILABLE */
  async complete(): Promise<void> {
    const parts = await this.#settled();
    if (this.#failure !== undefined) throw this.#failure as Error;
    await this.#settings.requests.completeUpload(this.#key, this.#uploadId, parts, this.#size);
    await this.#end();
  }

  /** Leaves nothing behind, or the marker by which it is swept. */
  async abort(): Promise<void> {
    await this.#settled();
    try {
      await this.#settings.requests.abortUpload(this.#key, this.#uploadId);
      await this.#end();
    } catch {
      this.#marker.abandon();
    }
  }

  /** The marker stays, to be swept, when there may be an upload that only a sweep finds. */
  async #end(): Promise<void> {
    if (this.#isOnly) await this.#marker.clear();
    else this.#marker.abandon();
  }

  async #settled(): Promise<UploadedPart[]> {
    const parts = await Promise.all(this.#parts);
    return parts.filter((part) => part !== undefined);
  }

  /** Never rejects. */
  async #send(part: number, fill: () => Promise<FilledBuffer> | FilledBuffer): Promise<UploadedPart | undefined> {
    const { buffers, requests } = this.#settings;
    try {
      if (this.#failure !== undefined) return undefined;
      const { buffer, size } = await fill();
      const sent = await requests.uploadPart(this.#key, this.#uploadId, part, buffer.subarray(0, size));
      this.#size += size;
      buffers.give(buffer);
      return sent;
    } catch (error) {
      this.#failure ??= error;
      return undefined;
    } finally {
      buffers.endTurn();
    }
  }
}

function tooManyParts(key: string, partBytes: number): VarveError {
  return new VarveError(
    'LIMIT_EXCEEDED',
    `${key} has more than ${partsMax} parts of ${partBytes} bytes: more than was said there would be`,
    { key, partBytes, max: partsMax * partBytes },
  );
}
