import type { IncomingMessage } from 'node:http';
import { isVarveError, VarveError } from '#core/error';
import { checkNotCancelled, defaultRetryPolicy, delayMs, pause } from './retry.js';
import type { Transport } from './transport.js';

/** A connection that says nothing for this long is given up and taken up again where it stopped. */
const silenceMaxMs = 60_000;

/** A canonical tar on its way. `chunks` may be read once and ends only after exactly `lengthBytes`. */
export interface RootfsDownload {
  readonly lengthBytes: number;
  readonly etag: string;
  /** What resumes cost: connections used beyond the first. */
  readonly resumes: number;
  chunks(): AsyncGenerator<Uint8Array>;
}

/**
 * Asks for a rootfs tar. A connection that breaks midway is resumed with `Range` and `If-Range`, so the bytes are one
 * tar or an error, never two spliced: after an upgrade of the server that writes other bytes, it is UNAVAILABLE and
 * the caller starts again. Gives up after five connections in a row that brought nothing.
 * @throws COMMIT_UNKNOWN and all of the route; from `chunks`: UNAVAILABLE, SIZE_MISMATCH, CANCELLED
 */
export async function openRootfs(
  transport: Transport,
  { path, headers, signal }: { path: string; headers: Record<string, string>; signal: AbortSignal | undefined },
): Promise<RootfsDownload> {
  const first = await transport.send({ method: 'GET', path, headers, signal });
  return new ResumingDownload(first, (from, etag) =>
    transport.send({ method: 'GET', path, signal, headers: { range: `bytes=${from}-`, 'if-range': etag } }),
    signal,
  ); // prettier-ignore
}

class ResumingDownload implements RootfsDownload {
  readonly lengthBytes: number;
  readonly etag: string;
  readonly #first: IncomingMessage;
  readonly #openAt: (from: number, etag: string) => Promise<IncomingMessage>;
  readonly #signal: AbortSignal | undefined;
  #resumes = 0;

  constructor(
    first: IncomingMessage,
    openAt: (from: number, etag: string) => Promise<IncomingMessage>,
    signal: AbortSignal | undefined,
  ) {
    const length = Number(first.headers['content-length']);
    if (!Number.isSafeInteger(length) || first.headers.etag === undefined) {
      first.destroy();
      throw new VarveError(
        'UNAVAILABLE',
        'the answer has no Content-Length and ETag: something stands between us and the server',
      );
    }
    this.lengthBytes = length;
    this.etag = first.headers.etag;
    this.#first = first;
    this.#openAt = openAt;
    this.#signal = signal;
  }

  get resumes(): number {
    return this.#resumes;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    let received = 0;
    let idleAttempts = 0;
    let response: IncomingMessage | undefined = this.#first;
    while (received < this.lengthBytes) {
      const before = received;
      try {
        response ??= await this.#resumeAt(received);
        for await (const chunk of readUntilSilent(response)) {
          received += chunk.length;
          if (received > this.lengthBytes) throw tooLong(this.lengthBytes);
          yield chunk;
        }
        if (received < this.lengthBytes) throw cutShort(received, this.lengthBytes);
      } catch (error) {
        checkNotCancelled(this.#signal);
        idleAttempts = received > before ? 1 : idleAttempts + 1;
        const broken = asBroken(error, received, this.lengthBytes);
        if (idleAttempts >= defaultRetryPolicy.attemptsMax) throw broken;
        await pause(delayMs({ policy: defaultRetryPolicy, attempts: idleAttempts, error: broken }), this.#signal);
        this.#resumes++;
      } finally {
        response?.destroy();
        response = undefined;
      }
    }
  }

  async #resumeAt(from: number): Promise<IncomingMessage> {
    const response = await this.#openAt(from, this.etag);
    const range = response.headers['content-range'];
    if (response.statusCode === 206 && range?.startsWith(`bytes ${from}-`)) return response;
    response.destroy();
    throw new VarveError(
      'SIZE_MISMATCH',
      `the server now writes another tar (ETag ${response.headers.etag}, was ${this.etag}): start the checkout again`,
      { expected: this.etag, actual: response.headers.etag ?? null },
    );
  }
}

async function* readUntilSilent(response: IncomingMessage): AsyncGenerator<Buffer> {
  response.setTimeout(silenceMaxMs, () => response.destroy(new Error(`silent for ${silenceMaxMs / 1000} s`)));
  yield* response as AsyncIterable<Buffer>;
}

/** What the network did becomes UNAVAILABLE and may be resumed; what is an error of its own passes as it is. */
function asBroken(error: unknown, received: number, lengthBytes: number): VarveError {
  if (isVarveError(error) && error.code === 'UNAVAILABLE') return error;
  if (isVarveError(error)) throw error;
  const reason = error instanceof Error ? error.message : String(error);
  return cutShort(received, lengthBytes, reason, error);
}

function cutShort(received: number, lengthBytes: number, reason = 'the connection ended', cause?: unknown): VarveError {
  return new VarveError(
    'UNAVAILABLE',
    `the download stopped after ${received} of ${lengthBytes} bytes: ${reason}`,
    { received, lengthBytes },
    { cause },
  );
}

function tooLong(lengthBytes: number): VarveError {
  return new VarveError('SIZE_MISMATCH', `the server sent more than the ${lengthBytes} bytes it announced`, {
    lengthBytes,
  });
}
