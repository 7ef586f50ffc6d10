import type { IncomingMessage } from 'node:http';
import { isVarveError, VarveError } from '#core/error';
import { type FastAnswer, fastGet } from './fast-get.js';
import { checkNotCancelled, defaultRetryPolicy, delayMs, pause } from './retry.js';
import type { Transport } from './transport.js';

/** A connection that says nothing for this long is given up and taken up again where it stopped. */
const silenceMaxMs = 60_000;

/** A canonical tar on its way. `chunks` may be read once and ends only after exactly `lengthBytes`. */
export interface RootfsDownload {
  readonly lengthBytes: number;
  readonly etag: string;
  chunks(): AsyncGenerator<Uint8Array>;
}

export interface RootfsRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal | undefined;
}

/**
 * Asks for a rootfs tar. A connection that breaks midway is resumed with `Range` and `If-Range`, so the bytes are one
 * tar or an error, never two spliced: after an upgrade of the server that writes other bytes it is SIZE_MISMATCH, and
 * the caller starts again. Gives up after five connections in a row that brought nothing.
 * @throws COMMIT_UNKNOWN and all of the route; from `chunks`: UNAVAILABLE, SIZE_MISMATCH, CANCELLED
 */
export async function openRootfs(transport: Transport, request: RootfsRequest): Promise<RootfsDownload> {
  return new ResumingDownload(await ask(transport, request, {}), {
    signal: request.signal,
    askAt: (from, etag) => ask(transport, request, { range: `bytes=${from}-`, 'if-range': etag }),
  });
}

/** Plain connections take the fast way; TLS, and every answer that is no plain success, the whole HTTP client. */
async function ask(
  transport: Transport,
  { path, headers, signal }: RootfsRequest,
  more: Readonly<Record<string, string>>,
): Promise<FastAnswer> {
  checkNotCancelled(signal);
  const all = { ...headers, ...more };
  const url = new URL(path, transport.server);
  if (url.protocol === 'http:') {
    // What keeps the fast way from an answer, the other way meets too, and can say.
    const answer = await fastGet(url, { headers: all, signal, silenceMaxMs }).catch(() => undefined);
    if (answer) return answer;
  }
  return answerOf(await transport.send({ method: 'GET', path, headers: all, signal }));
}

function answerOf(response: IncomingMessage): FastAnswer {
  const headers = Object.entries(response.headers).map(([name, value]) => [name, String(value)] as const);
  return {
    status: response.statusCode ?? 0,
    headers: new Map(headers),
    destroy: () => response.destroy(),
    body: async function* () {
      response.setTimeout(silenceMaxMs, () => response.destroy(new Error(`silent for ${silenceMaxMs / 1000} s`)));
      yield* response as AsyncIterable<Buffer>;
    },
  };
}

interface Resuming {
  readonly signal: AbortSignal | undefined;
  askAt(from: number, etag: string): Promise<FastAnswer>;
}

class ResumingDownload implements RootfsDownload {
  readonly lengthBytes: number;
  readonly etag: string;
  readonly #first: FastAnswer;
  readonly #resuming: Resuming;

  constructor(first: FastAnswer, resuming: Resuming) {
    const length = Number(first.headers.get('content-length') ?? 'none');
    const etag = first.headers.get('etag');
    if (!Number.isSafeInteger(length) || etag === undefined) {
      first.destroy();
      throw new VarveError(
        'UNAVAILABLE',
        'the answer has no Content-Length and ETag: something stands between us and the server',
      );
    }
    this.lengthBytes = length;
    this.etag = etag;
    this.#first = first;
    this.#resuming = resuming;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    const { signal } = this.#resuming;
    let received = 0;
    let idleAttempts = 0;
    let answer: FastAnswer | undefined = this.#first;
    while (received < this.lengthBytes) {
      const before = received;
      try {
        answer ??= await this.#resumeAt(received);
        for await (const chunk of answer.body()) {
          received += chunk.length;
          if (received > this.lengthBytes) throw tooLong(this.lengthBytes);
          yield chunk;
        }
        if (received < this.lengthBytes) throw cutShort(received, this.lengthBytes);
      } catch (error) {
        checkNotCancelled(signal);
        idleAttempts = received > before ? 1 : idleAttempts + 1;
        const broken = asBroken(error, received, this.lengthBytes);
        if (idleAttempts >= defaultRetryPolicy.attemptsMax) throw broken;
        await pause(delayMs({ policy: defaultRetryPolicy, attempts: idleAttempts, error: broken }), signal);
      } finally {
        answer?.destroy();
        answer = undefined;
      }
    }
  }

  async #resumeAt(from: number): Promise<FastAnswer> {
    const answer = await this.#resuming.askAt(from, this.etag);
    if (answer.status === 206 && answer.headers.get('content-range')?.startsWith(`bytes ${from}-`)) return answer;
    answer.destroy();
    const etag = answer.headers.get('etag') ?? null;
    throw new VarveError(
      'SIZE_MISMATCH',
      `the server now writes another tar (ETag ${etag}, was ${this.etag}): start the checkout again`,
      { expected: this.etag, actual: etag },
    );
  }
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
