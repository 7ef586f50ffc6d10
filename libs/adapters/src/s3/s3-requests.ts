import { Client } from 'minio';
import { VarveError } from '#core/error';
import { isAbsent, isBehindEnd, isPassing, isRefusal, isUploadGone, s3Error } from './s3-error.js';
import { type Endpoint, parseEndpoint, s3Defaults, type S3Options } from './s3-options.js';
import { type ObjectRange, receiveRange } from './s3-range.js';
import { retry } from './s3-retry.js';
import { openTransport, type Transport } from './s3-transport.js';

export interface StoredKey {
  readonly key: string;
  readonly size: number;
  /** Milliseconds since 1970, by the server's clock. */
  readonly modifiedAt: number;
}

export interface UploadedPart {
  readonly part: number;
  readonly etag: string;
}

/**
 * The requests we make of a bucket, each tried again within a bound and with its error in our words. Keys are whole,
 * with the prefix.
 *
 * Uploads in parts are made of their requests and not by the client's `putObject`, which adopts an unfinished upload of
 * the same key, whoever's it is, and leaves its own behind when it fails. @see event-log 3.3
 */
export class S3Requests {
  readonly #client: Client;
  readonly #public: Client;
  readonly #transport: Transport;
  readonly #bucket: string;
  readonly #retryMs: number;

  /** @throws CONFIG_INVALID */
  constructor(options: S3Options) {
    const endpoint = parseEndpoint(options.endpoint);
    this.#transport = openTransport({
      secure: endpoint.secure,
      connectionsMax: options.connectionsMax ?? s3Defaults.connectionsMax,
      idleTimeoutMs: options.idleTimeoutMs ?? s3Defaults.idleTimeoutMs,
    });
    this.#client = newClient(endpoint, options, this.#transport);
    this.#public = options.publicEndpoint
      ? newClient(parseEndpoint(options.publicEndpoint), options, this.#transport)
      : this.#client;
    this.#bucket = options.bucket;
    this.#retryMs = options.retryMs ?? s3Defaults.retryMs;
  }

  /** One page of one name: fails, as the client says it, when the bucket cannot be used. */
  probe(prefix: string): Promise<unknown> {
    return retry(this.#retryMs, () => this.#client.listObjectsV2Query(this.#bucket, prefix, '', '', 1, ''));
  }

  /** In one request, whole or not at all. @throws STORAGE_FULL, UNAVAILABLE */
  async put(key: string, bytes: Buffer): Promise<void> {
    // The client would upload in parts what is larger than its own part size, which is never reached: see `newClient`.
    await this.#do('store', key, () => this.#client.putObject(this.#bucket, key, bytes));
  }

  /**
   * Undefined when there is no such object. Fewer bytes only at the end of the object.
   * @throws UNAVAILABLE, CORRUPT (the server tells of bytes that it cannot give)
   */
  async get(key: string, from: number, target: Buffer): Promise<ObjectRange | undefined> {
    const ends: number[] = [];
    try {
      return await this.#do('read', key, async () => {
        const answer = await this.#client.getPartialObject(this.#bucket, key, from, target.length);
        return receiveRange(answer, { key, from, target, ends });
      });
    } catch (error) {
      if (error instanceof VarveError && isAbsent(error.cause)) return undefined;
      // An empty object has no range.
      if (error instanceof VarveError && isBehindEnd(error.cause) && from === 0) {
        return { bytes: target.subarray(0, 0), size: 0, etag: '' };
      }
      throw error;
    }
  }

  /** The size, or undefined when there is no such object. @throws UNAVAILABLE */
  async size(key: string): Promise<number | undefined> {
    try {
      return (await this.#do('look at', key, () => this.#client.statObject(this.#bucket, key))).size;
    } catch (error) {
      if (error instanceof VarveError && isAbsent(error.cause)) return undefined;
      throw error;
    }
  }

  /** Success means that there is no such object any more. @throws UNAVAILABLE */
  async remove(key: string): Promise<void> {
    try {
      await this.#do('delete', key, () => this.#client.removeObject(this.#bucket, key));
    } catch (error) {
      if (!(error instanceof VarveError && isAbsent(error.cause))) throw error;
    }
  }

  /** Every object whose key begins so, ordered by key, after the given key. @throws UNAVAILABLE */
  async *list(prefix: string, after = ''): AsyncGenerator<StoredKey> {
    let page = { token: '', after };
    for (;;) {
      const { token, after: start } = page;
      const found = await this.#do('list', prefix, () =>
        this.#client.listObjectsV2Query(this.#bucket, prefix, token, '', 1000, start),
      );
      for (const { name, size, lastModified } of found.objects) {
        if (name !== undefined) yield { key: name, size: size ?? 0, modifiedAt: lastModified?.getTime() ?? 0 };
      }
      if (!found.isTruncated) return;
      page = { token: found.nextContinuationToken, after: '' };
    }
  }

  /** An answer may be lost and asked for again: then there may be others that nobody knows (not `isOnly`). @throws UNAVAILABLE */
  async beginUpload(key: string): Promise<{ readonly uploadId: string; readonly isOnly: boolean }> {
    let tries = 0;
    const uploadId = await this.#do('begin to store', key, () => {
      tries += 1;
      return this.#client.initiateNewMultipartUpload(this.#bucket, key, {});
    });
    return { uploadId, isOnly: tries === 1 };
  }

  /** Parts count from 1; all but the last have the same size. @throws STORAGE_FULL, UNAVAILABLE */
  async uploadPart(key: string, uploadId: string, part: number, bytes: Buffer): Promise<UploadedPart> {
    const { etag } = await this.#do('store a part of', key, () =>
      this.#client.uploadPart(
        { bucketName: this.#bucket, objectName: key, uploadID: uploadId, partNumber: part, headers: {} },
        bytes,
      ),
    );
    return { part, etag };
  }

  /** Makes the object visible. When an answer was lost the upload may be gone, and the object there. @throws UNAVAILABLE */
  async completeUpload(key: string, uploadId: string, parts: readonly UploadedPart[], size: number): Promise<void> {
    try {
      await this.#do('finish', key, () =>
        this.#client.completeMultipartUpload(this.#bucket, key, uploadId, [...parts]),
      );
    } catch (error) {
      const isGone = error instanceof VarveError && isUploadGone(error.cause);
      if (!isGone || (await this.size(key)) !== size) throw error;
    }
  }

  /** Success means that there is no such upload any more. @throws UNAVAILABLE */
  async abortUpload(key: string, uploadId: string): Promise<void> {
    try {
      await this.#do('give up', key, () => this.#client.abortMultipartUpload(this.#bucket, key, uploadId));
    } catch (error) {
      const isGone = error instanceof VarveError && (isUploadGone(error.cause) || isAbsent(error.cause));
      if (!isGone) throw error;
    }
  }

  /**
   * Unfinished uploads of exactly this key. By key, for MinIO lists no others: a prefix is a whole key to it.
   * @throws UNAVAILABLE
   */
  async uploadsOf(key: string): Promise<{ readonly uploadId: string; readonly startedAt: number }[]> {
    const { uploads } = await this.#do('list uploads of', key, () =>
      this.#client.listIncompleteUploadsQuery(this.#bucket, key, '', '', ''),
    );
    return uploads
      .filter((upload) => upload.key === key)
      .map(({ uploadId, initiated }) => ({ uploadId, startedAt: new Date(initiated).getTime() }));
  }

  presign(key: string, expiresSeconds: number): Promise<string> {
    return this.#do('sign a download of', key, () =>
      this.#public.presignedGetObject(this.#bucket, key, expiresSeconds),
    );
  }

  close(): void {
    this.#transport.close();
  }

  async #do<T>(action: string, key: string, request: () => Promise<T>): Promise<T> {
    try {
      return await retry(this.#retryMs, request, mayPass);
    } catch (error) {
      throw s3Error(action, key, error);
    }
  }
}

/** versitygw 1.7 was seen to refuse one request in thousands, of the root's right credentials, that it took a moment later. */
function mayPass(error: unknown, tries: number): boolean {
  return isPassing(error) || (isRefusal(error) && tries <= 2);
}

function newClient(endpoint: Endpoint, options: S3Options, transport: Transport): Client {
  return new Client({
    endPoint: endpoint.host,
    port: endpoint.port,
    useSSL: endpoint.secure,
    region: options.region ?? s3Defaults.region,
    accessKey: options.accessKey,
    secretKey: options.secretKey,
    ...(options.sessionToken === undefined ? {} : { sessionToken: options.sessionToken }),
    transport: transport as never,
    // The largest: what is larger than one part is never given to the client's own uploads. Unset it would hold parts
    // of 528 MiB in memory.
    partSize: 5 * 2 ** 30,
    // It would tell the console of each, and of a broken connection it does none.
    retryOptions: { disableRetry: true },
  });
}
