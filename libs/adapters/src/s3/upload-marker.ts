import { randomBytes } from 'node:crypto';
import type { S3Requests, StoredKey } from './s3-requests.js';

/** A marker names no more than a key; what is larger is none of ours. */
const markerBytesMax = 4096;

/**
 * A small object in `staging/` that stands as long as an upload in parts is under way, written before the upload begins.
 * Its age says whether anyone still works on it: whoever does writes it anew. Uploads themselves cannot say so, their
 * time is that of their beginning; nor can they be found everywhere, for MinIO lists them by their key only.
 */
export class UploadMarker {
  readonly name = randomBytes(16).toString('hex');
  readonly #requests: S3Requests;
  readonly #staging: string;
  readonly #key: string;
  #timer: NodeJS.Timeout | undefined;

  /** `staging` is the prefix of all markers. */
  constructor(requests: S3Requests, { staging, key }: { readonly staging: string; readonly key: string }) {
    this.#requests = requests;
    this.#staging = staging;
    this.#key = key;
  }

  /** @throws UNAVAILABLE */
  async set(sweepAfterMs: number): Promise<void> {
    await this.#write();
    // A few may fail before it looks abandoned. The next one tells nobody either: the parts fail too.
    this.#timer = setInterval(() => void this.#write().catch(() => undefined), sweepAfterMs / 6);
    this.#timer.unref();
  }

  /** Nobody works on the upload any more, and it is still there: it is swept in time. */
  abandon(): void {
    clearInterval(this.#timer);
  }

  /** The upload is over. A marker that cannot be removed is swept in time. */
  async clear(): Promise<void> {
    this.abandon();
    await this.#requests.remove(this.#staging + this.name).catch(() => undefined);
  }

  async #write(): Promise<void> {
    await this.#requests.put(this.#staging + this.name, Buffer.from(JSON.stringify({ key: this.#key })));
  }
}

/** The key that a marker names; undefined when it was removed, or is no marker. @throws UNAVAILABLE */
export async function markedKey(requests: S3Requests, { key: name, size }: StoredKey): Promise<string | undefined> {
  if (size > markerBytesMax) return undefined;
  const found = await requests.get(name, 0, Buffer.alloc(markerBytesMax));
  try {
    const { key } = JSON.parse(String(found?.bytes)) as { key?: unknown };
    return typeof key === 'string' ? key : undefined;
  } catch {
    return undefined;
  }
}
