import type { IncomingMessage } from 'node:http';
import { isVarveError, VarveError } from '#core/error';
import { anySignal } from './any-signal.js';
import { type FastAnswer, fastGet } from './fast-get.js';
import { checkNotCancelled, defaultRetryPolicy, delayMs, pause } from './retry.js';
import type { Transport } from './transport.js';

/** A connection that says nothing for this long is given up and taken up again where it stopped. */
const silenceMaxMs = 60_000;

/** A tar on its way: read it once, as a whole or in pieces. */
export interface RootfsDownload {
  /** Null for a compressed one, whose length nobody knows before its end. */
  readonly lengthBytes: number | null;
  readonly etag: string | null;
  /** Ends only when every byte was there. */
  chunks(): AsyncGenerator<Uint8Array>;
  /**
   * So many pieces of about the same length, or one where the tar is short or of unknown length. Each is a connection of
   * its own, and they may be read side by side.
   */
  pieces(count: number): readonly RootfsPiece[];
  /** Ends every connection; whoever reads a piece gets CANCELLED. */
  stop(): void;
}

/** One of known length and identity, taken up again where its connection broke. */
export interface ResumableDownload extends RootfsDownload {
  readonly lengthBytes: number;
  readonly etag: string;
}

/** The bytes of a tar from `from` on. */
export interface RootfsPiece {
  readonly from: number;
  chunks(): AsyncGenerator<Uint8Array>;
}

export interface RootfsRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal | undefined;
}

/** Shorter pieces are not worth a connection. */
const pieceBytesMin = 1 << 20;

/**
 * Asks for a rootfs tar. A connection that breaks midway is resumed with `Range` and `If-Range`, so the bytes are one
 * tar or an error, never two spliced: after an upgrade of the server that writes other bytes it is SIZE_MISMATCH, and
 * the caller starts again. Gives up after five connections in a row that brought nothing.
 * @throws COMMIT_UNKNOWN and all of the route; from `chunks`: UNAVAILABLE, SIZE_MISMATCH, CANCELLED
 */
export async function openRootfs(transport: Transport, request: RootfsRequest): Promise<ResumableDownload> {
  const { signal, stop } = stoppable(request.signal);
  const asking = { ...request, signal };
  return new ResumingDownload(await ask(transport, asking, {}), {
    signal,
    stop,
    askAt: (from, etag) => ask(transport, asking, { range: `bytes=${from}-`, 'if-range': etag }),
  });
}

/**
 * The same for a compressed tar: it cannot be resumed, so a connection that breaks is UNAVAILABLE, and the caller starts
 * again. @throws as `openRootfs`
 */
export async function openCompressedRootfs(transport: Transport, request: RootfsRequest): Promise<RootfsDownload> {
  const { signal, stop } = stoppable(request.signal);
  const { path, headers } = request;
  const answer = answerOf(await transport.send({ method: 'GET', path, headers, signal }));
  const chunks = (): AsyncGenerator<Uint8Array> => unresumed(answer, signal);
  return {
    lengthBytes: null,
    etag: answer.headers.get('etag') ?? null,
    chunks,
    pieces: () => [{ from: 0, chunks }],
    stop,
  };
}

/** Fires when the caller's does, or when the download is stopped. */
function stoppable(given: AbortSignal | undefined): { readonly signal: AbortSignal; readonly stop: () => void } {
  const stopping = new AbortController();
  return { signal: anySignal(stopping.signal, given), stop: () => stopping.abort() };
}

async function* unresumed(answer: FastAnswer, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  let received = 0;
  try {
    for await (const chunk of answer.body()) {
      received += chunk.length;
      yield chunk;
    }
  } catch (error) {
    checkNotCancelled(signal);
    const reason = error instanceof Error ? error.message : String(error);
    const message = `the download stopped after ${received} bytes: ${reason}; a compressed tar cannot be resumed, start again`;
    throw new VarveError('UNAVAILABLE', message, { received }, { cause: error });
  } finally {
    answer.destroy();
  }
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
  readonly signal: AbortSignal;
  stop(): void;
  askAt(from: number, etag: string): Promise<FastAnswer>;
}

/** The first connection was asked for the whole tar; a first piece of it takes what it needs and lets the rest go. */
class ResumingDownload implements ResumableDownload {
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

  chunks(): AsyncGenerator<Uint8Array> {
    return this.#chunks(0, this.lengthBytes, this.#first);
  }

  pieces(count: number): readonly RootfsPiece[] {
    const fitting = Math.max(1, Math.min(count, Math.floor(this.lengthBytes / pieceBytesMin)));
    const starts = Array.from({ length: fitting }, (_, i) => Math.floor((this.lengthBytes * i) / fitting));
    return starts.map((from, i) => ({
      from,
      chunks: () => this.#chunks(from, starts[i + 1] ?? this.lengthBytes, i === 0 ? this.#first : undefined),
    }));
  }

  stop(): void {
    this.#resuming.stop();
    this.#first.destroy();
  }

  async *#chunks(from: number, to: number, first: FastAnswer | undefined): AsyncGenerator<Uint8Array> {
    const { signal } = this.#resuming;
    let at = from;
    let idleAttempts = 0;
    let answer = first;
    while (at < to) {
      const before = at;
      try {
        answer ??= await this.#resumeAt(at);
        for await (const chunk of answer.body()) {
          const wanted = chunk.subarray(0, to - at);
          at += chunk.length;
          if (at > this.lengthBytes) throw tooLong(this.lengthBytes);
          yield wanted;
          if (at >= to) break;
        }
        if (at < to) throw cutShort(at, this.lengthBytes);
      } catch (error) {
        checkNotCancelled(signal);
        idleAttempts = at > before ? 1 : idleAttempts + 1;
        const broken = asBroken(error, at, this.lengthBytes);
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
