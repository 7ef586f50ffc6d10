import { createReadStream, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { RequestBody } from '#client/transport';
import { VarveError } from '#core/error';
import { fileError } from './file-error.js';
import type { Progress } from './progress.js';

/** Large pieces: a tar of 200 MB is then 200 reads, not 3,000. */
const readBytes = 1 << 20;

/**
 * A file as the body of a request: its length is known and it may be sent again. `-` is standard input, which has
 * neither. What is read counts as progress.
 * @throws REQUEST_INVALID when it is not there or is a directory
 */
export async function uploadOf(path: string, contentType: string): Promise<Upload> {
  if (path === '-') return new Upload({ path: 'standard input', contentType, sizeBytes: null });
  const found = await fileStat(path);
  if (found.isDirectory()) throw fileError(path, 'read', Object.assign(new Error(), { code: 'EISDIR' }));
  return new Upload({ path, contentType, sizeBytes: found.isFile() ? found.size : null });
}

/** @throws REQUEST_INVALID */
export async function fileStat(path: string): Promise<Stats> {
  try {
    return await stat(path);
  } catch (cause) {
    throw fileError(path, 'read', cause);
  }
}

/** Bytes on their way up. A pipe or standard input can be read once. */
export class Upload implements RequestBody {
  readonly path: string;
  readonly contentType: string;
  readonly sizeBytes: number | null;
  progress: Progress | undefined;

  constructor(from: { path: string; contentType: string; sizeBytes: number | null }) {
    this.path = from.path;
    this.contentType = from.contentType;
    this.sizeBytes = from.sizeBytes;
  }

  get repeatable(): boolean {
    return this.sizeBytes !== null;
  }

  /** @throws REQUEST_INVALID when the file shrank or grew while it was read: the length has been announced */
  async *open(over: AbortSignal): AsyncGenerator<Uint8Array> {
    const isStdin = this.path === 'standard input';
    const source = isStdin ? process.stdin : createReadStream(this.path, { highWaterMark: readBytes });
    // Standard input may stay silent for ever, and would keep the process alive.
    over.addEventListener('abort', () => source.destroy());
    let sentBytes = 0;
    try {
      for await (const chunk of source as AsyncIterable<Buffer>) {
        sentBytes += chunk.length;
        if (this.sizeBytes !== null && sentBytes > this.sizeBytes) throw this.#changed(sentBytes);
        yield chunk;
        this.progress?.add(chunk.length);
      }
    } catch (cause) {
      if (over.aborted) return;
      throw cause instanceof VarveError ? cause : fileError(this.path, 'read', cause);
    }
    if (this.sizeBytes !== null && sentBytes !== this.sizeBytes) throw this.#changed(sentBytes);
  }

  #changed(sentBytes: number): VarveError {
    return new VarveError(
      'REQUEST_INVALID',
      `${this.path} changed while it was sent: it had ${this.sizeBytes} bytes, then ${sentBytes}`,
      { path: this.path },
    );
  }
}
