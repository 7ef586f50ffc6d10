import { randomBytes } from 'node:crypto';
import { assert } from '#core/error';
import type { BlobAddress, DerivedAddress, StagedBlob, StagedDerived, StagedFile } from '#ports/blob-store';
import { keyOf } from '../blob-key.js';
import { hashedBlob } from '../hashed-blob.js';
import { type FilledBuffer, MultipartUpload, partBytesFor, type UploadSettings } from './multipart-upload.js';
import { DirectUpload } from './direct-upload.js';
import { UploadSpool } from './upload-spool.js';

/** What this process has staged: on this machine, or on its way under the key it will have. */
type Staging = UploadSpool | DirectUpload;

export interface StagingSettings extends UploadSettings {
  /** Of all names of the store, with its slash; or empty. */
  readonly prefix: string;
  readonly spoolFolder: string;
}

/**
 * Takes bytes in. An object has its name from the start and cannot be renamed, and a blob's name is the digest of all its
 * bytes; so a blob waits on this machine until it is whole, and goes up once, in one request if it is small. What is
 * refused never reaches the server. @see docs/decision/0015-s3-spool.md
 */
export class S3Staging {
  readonly #settings: StagingSettings;
  readonly #staged = new Set<Staging>();

  constructor(settings: StagingSettings) {
    this.#settings = settings;
  }

  stageBlob(): StagedBlob {
    const spool = this.#spool();
    return hashedBlob({
      write: (bytes) => spool.write(bytes),
      seal: async (digest) => {
        const address: BlobAddress = { digest, incarnation: randomBytes(16).toString('hex') };
        await this.#uploadBlob(spool, this.#keyOf(address));
        return address;
      },
      discard: () => this.#discard(spool),
    });
  }

  stageDerived(): StagedDerived {
    const spool = this.#spool();
    return {
      write: (bytes) => spool.write(bytes),
      read: () => spool.read(),
      seal: (address) => this.#upload(spool, this.#keyOf(address)),
      discard: () => this.#discard(spool),
    };
  }

  /** The address is known, so the bytes need not wait. */
  stageDirect({ address, sizeBytesMax }: { address: DerivedAddress; sizeBytesMax: number }): StagedDerived {
    const key = this.#keyOf(address);
    const partBytes = partBytesFor(sizeBytesMax, this.#settings.partBytes);
    const direct = new DirectUpload({ ...this.#settings, partBytes }, key);
    this.#staged.add(direct);
    return {
      write: (bytes) => direct.write(bytes),
      read: async () => direct.read(),
      seal: async (sealed) => {
        assert(this.#keyOf(sealed) === key, 'what is staged for an address is sealed under it');
        await direct.complete();
        this.#staged.delete(direct);
      },
      discard: () => this.#discard(direct),
    };
  }

  /** Of this process. */
  *own(): Generator<StagedFile> {
    for (const { name, size, modifiedAt } of this.#staged) yield { name, size, modifiedAt, inUse: true };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#staged].map((staging) => this.#discard(staging)));
  }

  #spool(): UploadSpool {
    const spool = new UploadSpool(this.#settings.spoolFolder);
    this.#staged.add(spool);
    return spool;
  }

  async #discard(staging: Staging): Promise<void> {
    this.#staged.delete(staging);
    await staging.discard();
  }

  async #uploadBlob(spool: UploadSpool, key: string): Promise<void> {
    try {
      await this.#upload(spool, key);
    } catch (error) {
      // An answer may have been lost on its way, and the object be there; nobody else has this key.
      void this.#settings.requests.remove(key).catch(() => undefined);
      throw error;
    }
  }

  async #upload(spool: UploadSpool, key: string): Promise<void> {
    const { requests, partBytes } = this.#settings;
    if (spool.size > partBytes) await this.#uploadInParts(spool, key);
    else await requests.put(key, await spool.read());
    await this.#discard(spool);
  }

  async #uploadInParts(spool: UploadSpool, key: string): Promise<void> {
    const partBytes = partBytesFor(spool.size, this.#settings.partBytes);
    const upload = await MultipartUpload.begin({ ...this.#settings, partBytes }, key);
    try {
      for (let from = 0; from < spool.size; from += partBytes) {
        const size = Math.min(partBytes, spool.size - from);
        await upload.push(() => this.#readPart(spool, from, size));
      }
      await upload.complete();
    } catch (error) {
      await upload.abort();
      throw error;
    }
  }

  async #readPart(spool: UploadSpool, from: number, size: number): Promise<FilledBuffer> {
    const buffer = this.#settings.buffers.take(size);
    await spool.readInto(buffer.subarray(0, size), from);
    return { buffer, size };
  }

  #keyOf(address: BlobAddress | DerivedAddress): string {
    const key = keyOf(address);
    assert(key !== undefined, 'what is sealed has a key');
    return this.#settings.prefix + key;
  }
}
