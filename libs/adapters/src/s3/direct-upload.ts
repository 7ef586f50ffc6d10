import { randomBytes } from 'node:crypto';
import { assert } from '#core/error';
import { MultipartUpload, type UploadSettings } from './multipart-upload.js';

/** Few bytes wait here, and go up in one request. */
const memoryBytesMax = 256 << 10;

/**
 * Bytes that go up while they come, for their key is known: one part is being filled, the parts before it are on their
 * way.
 */
export class DirectUpload {
  readonly #settings: UploadSettings;
  readonly #key: string;
  readonly #ownName = randomBytes(16).toString('hex');
  #pieces: Buffer[] = [];
  #upload: MultipartUpload | undefined;
  #part: Buffer | undefined;
  #filled = 0;
  size = 0;
  modifiedAt = Date.now();

  constructor(settings: UploadSettings, key: string) {
    this.#settings = settings;
    this.#key = key;
  }

  /** That of its marker, when there is one. */
  get name(): string {
    return this.#upload?.name ?? this.#ownName;
  }

  /** The caller may reuse `bytes` when this returns. @throws STORAGE_FULL, UNAVAILABLE, LIMIT_EXCEEDED */
  async write(bytes: Uint8Array): Promise<void> {
    this.modifiedAt = Date.now();
    this.size += bytes.length;
    if (this.size <= memoryBytesMax) this.#pieces.push(Buffer.from(bytes));
    else {
      for (const piece of this.#pieces.splice(0)) await this.#fill(piece);
      await this.#fill(bytes);
    }
  }

  read(): Uint8Array {
    assert(this.size <= memoryBytesMax, 'what is staged for an address is not read back');
    return Buffer.concat(this.#pieces);
  }

  /** Makes the object visible. @throws STORAGE_FULL, UNAVAILABLE */
  async complete(): Promise<void> {
    if (this.size <= memoryBytesMax) await this.#settings.requests.put(this.#key, Buffer.concat(this.#pieces));
    else {
      if (this.#filled > 0) await this.#send();
      await this.#upload?.complete();
      this.#upload = undefined;
    }
  }

  /** Leaves nothing behind; may be called again. */
  async discard(): Promise<void> {
    const upload = this.#upload;
    if (this.#part) this.#settings.buffers.give(this.#part);
    this.#pieces = [];
    this.#part = undefined;
    this.#upload = undefined;
    await upload?.abort();
  }

  async #fill(bytes: Uint8Array): Promise<void> {
    const { buffers, partBytes } = this.#settings;
    for (let done = 0; done < bytes.length;) {
      this.#part ??= buffers.take(partBytes);
      const count = Math.min(partBytes - this.#filled, bytes.length - done);
      this.#part.set(bytes.subarray(done, done + count), this.#filled);
      this.#filled += count;
      done += count;
      if (this.#filled === partBytes) await this.#send();
    }
  }

  async #send(): Promise<void> {
    this.#upload ??= await MultipartUpload.begin(this.#settings, this.#key);
    const filled = { buffer: this.#part!, size: this.#filled };
    this.#part = undefined;
    this.#filled = 0;
    await this.#upload.push(() => filled);
  }
}
