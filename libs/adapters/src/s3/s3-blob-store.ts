import { tmpdir } from 'node:os';
import { digestFromHex } from '#core/digest';
import { VarveError } from '#core/error';
import {
  type BlobAddress,
  type BlobReader,
  type BlobStore,
  type DerivedAddress,
  type StagedBlob,
  type StagedDerived,
  type StagedFile,
  type StoredBlob,
  type StoredDerived,
} from '#ports/blob-store';
import { isIncarnation, keyOf, unknownBlob } from '../blob-key.js';
import { checkBucket } from './check-bucket.js';
import { PartBuffers } from './part-buffers.js';
import { ReadAhead } from './read-ahead.js';
import { parsePrefix, partBytesMin, s3Defaults, type S3Options } from './s3-options.js';
import { headBytes, S3Reader, windowBytesMax } from './s3-reader.js';
import type { ObjectRange } from './s3-range.js';
import { S3Requests } from './s3-requests.js';
import { S3Staging } from './s3-staging.js';
import { sweepUploads } from './sweep-uploads.js';

const partsAtOnce = 3;
const readAheadBytesMax = 64 << 20;

/**
 * Opens the blob store in a bucket, or under a prefix of one, that any number of processes share.
 * @throws CONFIG_INVALID (an address or setting that cannot be, no such bucket, credentials that are not accepted),
 *   UNAVAILABLE (the server does not answer)
 */
export async function openS3BlobStore(options: S3Options): Promise<BlobStore> {
  const prefix = parsePrefix(options.prefix ?? '');
  const partBytes = options.partBytes ?? s3Defaults.partBytes;
  if (partBytes < partBytesMin) {
    throw new VarveError(
      'CONFIG_INVALID',
      `parts of ${partBytes} bytes are too small for S3: at least ${partBytesMin}`,
      {
        partBytes,
        min: partBytesMin,
      },
    );
  }
  const requests = new S3Requests(options);
  try {
    await checkBucket(requests, prefix, options);
  } catch (error) {
    requests.close();
    throw error;
  }
  const sweepAfterMs = options.sweepAfterMs ?? s3Defaults.sweepAfterMs;
  const spoolFolder = options.spoolFolder ?? tmpdir();
  return new S3BlobStore(requests, { prefix, partBytes, sweepAfterMs, spoolFolder });
}

interface Settings {
  readonly prefix: string;
  readonly partBytes: number;
  readonly sweepAfterMs: number;
  readonly spoolFolder: string;
}

/** Blobs as objects. An object is visible when it is whole: S3 has it so, for one request and for uploads in parts. */
class S3BlobStore implements BlobStore {
  readonly #requests: S3Requests;
  readonly #prefix: string;
  readonly #sweepAfterMs: number;
  readonly #staging: S3Staging;
  readonly #readAhead = new ReadAhead(readAheadBytesMax, windowBytesMax);

  constructor(requests: S3Requests, settings: Settings) {
    this.#requests = requests;
    this.#prefix = settings.prefix;
    this.#sweepAfterMs = settings.sweepAfterMs;
    const buffers = new PartBuffers(partsAtOnce, settings.partBytes);
    this.#staging = new S3Staging({ ...settings, requests, buffers, staging: this.#stagingPrefix });
  }

  async stageBlob(): Promise<StagedBlob> {
    return this.#staging.stageBlob();
  }

  async stageDerived(known?: {
    readonly address: DerivedAddress;
    readonly sizeBytesMax: number;
  }): Promise<StagedDerived> {
    return known ? this.#staging.stageDirect(known) : this.#staging.stageDerived();
  }

  /** One request, which brings the first bytes too. */
  async open(address: BlobAddress | DerivedAddress): Promise<BlobReader> {
    const key = this.#keyOf(address);
    const head = key === undefined ? undefined : await this.#head(key);
    if (key === undefined || !head) throw unknownBlob(address);
    return new S3Reader(this.#requests, this.#readAhead, { key, head });
  }

  async stat(address: BlobAddress | DerivedAddress): Promise<number | undefined> {
    const key = this.#keyOf(address);
    return key === undefined ? undefined : await this.#requests.size(key);
  }

  async delete(address: BlobAddress | DerivedAddress): Promise<void> {
    const key = this.#keyOf(address);
    if (key !== undefined) await this.#requests.remove(key);
  }

  async *blobs(after?: BlobAddress): AsyncGenerator<StoredBlob> {
    const start = after && this.#keyOf(after);
    for await (const { key, size, modifiedAt } of this.#requests.list(`${this.#prefix}blobs/sha256/`, start)) {
      const address = blobAddress(key.slice(this.#prefix.length));
      if (address) yield { ...address, size, modifiedAt };
    }
  }

  async *derived(kind: DerivedAddress['kind']): AsyncGenerator<StoredDerived> {
    for await (const { key, size, modifiedAt } of this.#requests.list(`${this.#prefix}derived/${kind}/`)) {
      const address = derivedAddress(kind, key.slice(this.#prefix.length));
      if (address) yield { address, size, modifiedAt };
    }
  }

  presign(address: BlobAddress | DerivedAddress, expiresSeconds: number): Promise<string> {
    const key = this.#keyOf(address);
    if (key === undefined) return Promise.reject(unknownBlob(address));
    return this.#requests.presign(key, expiresSeconds);
  }

  /** Of other processes their uploads in parts; what else they receive is on their machines. */
  async *staged(): AsyncGenerator<StagedFile> {
    const own = [...this.#staging.own()];
    yield* own;
    const ownNames = new Set(own.map(({ name }) => name));
    for await (const { key, size, modifiedAt } of this.#requests.list(this.#stagingPrefix)) {
      const name = key.slice(this.#stagingPrefix.length);
      const inUse = modifiedAt >= Date.now() - this.#sweepAfterMs;
      if (!ownNames.has(name)) yield { name, size, modifiedAt, inUse };
    }
  }

  sweepStaging(olderThanMs = 0): Promise<number> {
    const windowMs = Math.max(olderThanMs, this.#sweepAfterMs);
    return sweepUploads(this.#requests, { staging: this.#stagingPrefix, olderThanMs: windowMs });
  }

  /** Discards what this process has staged. */
  async close(): Promise<void> {
    await this.#staging.close();
    this.#requests.close();
  }

  get #stagingPrefix(): string {
    return `${this.#prefix}staging/`;
  }

  #keyOf(address: BlobAddress | DerivedAddress): string | undefined {
    const key = keyOf(address);
    return key === undefined ? undefined : this.#prefix + key;
  }

  async #head(key: string): Promise<ObjectRange | undefined> {
    const head = await this.#requests.get(key, 0, Buffer.allocUnsafeSlow(headBytes));
    // Small objects are many; the buffer would be kept as long as they are open.
    return head && head.bytes.length < headBytes ? { ...head, bytes: Buffer.from(head.bytes) } : head;
  }
}

/** Undefined for a key that is not one of ours. */
function blobAddress(key: string): BlobAddress | undefined {
  const [, fan, hex, incarnation = ''] = /^blobs\/sha256\/([0-9a-f]{2})\/([0-9a-f]{64})\/([^/]+)$/.exec(key) ?? [];
  if (hex === undefined || !hex.startsWith(fan!) || !isIncarnation(incarnation)) return undefined;
  return { digest: digestFromHex(hex), incarnation };
}

function derivedAddress(kind: DerivedAddress['kind'], key: string): DerivedAddress | undefined {
  const [, version, hex] = /^derived\/[^/]+\/v([1-9]\d{0,8})\/[0-9a-f]{2}\/([0-9a-f]{64})$/.exec(key) ?? [];
  const address = hex && { kind, version: Number(version), key: digestFromHex(hex) };
  return address && keyOf(address) === key ? address : undefined;
}
