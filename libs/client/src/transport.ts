import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { VarveError } from '#core/error';
import { readProblem, retryAfterMs } from './problem.js';
import { checkNotCancelled } from './retry.js';

// An import of it as an ES module reads everything it exports, and so loads all of `fetch`: half of the time of a command.
const { Agent, request: httpRequest } = process.getBuiltinModule('node:http');

const connectTimeoutMs = 10_000;

/** The bytes of a request. `open` may be called once for each attempt when the body is `repeatable`. */
export interface RequestBody {
  readonly contentType: string;
  /** Known lengths are sent as Content-Length; null is sent in chunks. */
  readonly sizeBytes: number | null;
  readonly repeatable: boolean;
  /** `over` fires when nobody wants the rest: a source that may wait for ever (a pipe) lets go then. */
  open(over: AbortSignal): AsyncIterable<Uint8Array>;
}

export interface Exchange {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** Path and query, from the root of the server, already escaped. */
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: RequestBody;
  readonly signal?: AbortSignal | undefined;
  /** A redirect that keeps the method (307) is an answer, and is not followed. */
  readonly isRedirectWanted?: boolean;
}

/**
 * One server over kept-alive HTTP/1.1 connections. An exchange is sent once, up and down with backpressure; what is
 * no success is thrown as the error the server named. Holds connections: `close()` lets the process end.
 */
export class Transport {
  readonly server: URL;
  #door: Promise<Door> | undefined;

  /** @throws REQUEST_INVALID when the address is not http:// or https:// */
  constructor(server: string) {
    this.server = parseServer(server);
  }

  /**
   * The answer, its body still unread; 2xx and 304 only, and 307 where it is wanted. The caller reads the body to its end or destroys it.
   * @throws every code of the server; UNAVAILABLE (`detail.refused` when nobody listens), CANCELLED
   */
  async send(exchange: Exchange): Promise<IncomingMessage> {
    checkNotCancelled(exchange.signal);
    const response = await this.#exchange(exchange);
    const status = response.statusCode ?? 0;
    if ((status >= 200 && status < 300) || status === 304) return response;
    if (status === 307 && exchange.isRedirectWanted) return response;
    const waitMs = retryAfterMs(response);
    const problem = await readProblem(response, `${exchange.method} ${exchange.path}`);
    throw waitMs === undefined
      ? problem
      : new VarveError(problem.code, problem.message, { ...problem.detail, retryAfterMs: waitMs });
  }

  /** Idle connections are closed. */
  close(): void {
    void this.#door?.then(({ agent }) => agent.destroy());
  }

  async #exchange(exchange: Exchange): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request = this.#open(await (this.#door ??= openDoor(this.server)), exchange);
    limitConnecting(request);
    request.on('response', resolve);
    request.on('error', (error) => reject(this.#networkError(exchange, error)));
    if (exchange.body) void sendBody(request, exchange.body, { answered: promise, reject });
    else request.end();
    return promise;
  }

  /** @throws REQUEST_INVALID for a header that cannot be sent, such as an actor with a line break */
  #open({ agent, request }: Door, { method, path, headers, body, signal }: Exchange): ClientRequest {
    try {
      return request(new URL(path, this.server), {
        method,
        agent,
        headers: { ...headers, ...bodyHeaders(body) },
        ...(signal ? { signal } : {}),
      });
    } catch (cause) {
      const message = `${method} ${path} cannot be sent: ${cause instanceof Error ? cause.message : String(cause)}`;
      throw new VarveError('REQUEST_INVALID', message, {}, { cause });
    }
  }

  #networkError({ method, path, signal }: Exchange, cause: NodeJS.ErrnoException): VarveError {
    if (signal?.aborted) return new VarveError('CANCELLED', `${method} ${path} was interrupted`, {}, { cause });
    const address = this.server.origin;
    const refused = ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN'].includes(
      cause.code ?? '',
    );
    return new VarveError(
      'UNAVAILABLE',
      refused
        ? `no server answers at ${address} (${cause.code})`
        : `the connection to ${address} broke during ${method} ${path}: ${cause.message}`,
      { server: address, refused, reason: cause.code ?? null },
      { cause },
    );
  }
}

interface Door {
  readonly agent: InstanceType<typeof Agent>;
  readonly request: typeof httpRequest;
}

/** TLS takes longer to load than all the rest; most servers are plain ones on loopback. */
async function openDoor({ protocol }: URL): Promise<Door> {
  if (protocol === 'http:') return { agent: new Agent({ keepAlive: true }), request: httpRequest };
  const tls = await import('node:https');
  return { agent: new tls.Agent({ keepAlive: true }), request: tls.request };
}

/**
 * Writes the body. A server that refuses may answer before it has read everything: then the upload stops and the
 * answer counts. A source that fails (a file that cannot be read) ends the request with its own error.
 */
async function sendBody(
  request: ClientRequest,
  body: RequestBody,
  { answered, reject }: { answered: Promise<IncomingMessage>; reject: (error: unknown) => void },
): Promise<void> {
  const over = new AbortController();
  answered.then(endWith(request), () => undefined).finally(() => over.abort());
  try {
    for await (const chunk of body.open(over.signal)) {
      if (over.signal.aborted || request.destroyed) return;
      if (!request.write(chunk)) await drained(request, over.signal);
    }
    if (!over.signal.aborted) request.end();
  } catch (error) {
    reject(error);
    request.destroy();
  }
}

/** Until the socket takes more, or nobody wants more. Leaves no listener behind: an upload waits thousands of times. */
function drained(request: ClientRequest, over: AbortSignal): Promise<void> {
  if (over.aborted || request.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      request.off('drain', done).off('close', done);
      over.removeEventListener('abort', done);
      resolve();
    };
    request.on('drain', done).on('close', done);
    over.addEventListener('abort', done);
  });
}

/** Gives up the connection of an unfinished upload once its answer has been read: it cannot carry another request. */
function endWith(request: ClientRequest): (response: IncomingMessage) => void {
  return (response) => {
    if (!request.writableEnded) response.once('close', () => request.writableEnded || request.destroy());
  };
}

function bodyHeaders(body: RequestBody | undefined): OutgoingHttpHeaders {
  if (!body) return {};
  return {
    'content-type': body.contentType,
    ...(body.sizeBytes === null ? {} : { 'content-length': body.sizeBytes }),
  };
}

/** A host that drops packets would hold us for minutes; a connection that stands has no time limit. */
function limitConnecting(request: ClientRequest): void {
  request.on('socket', (socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(
      () => request.destroy(Object.assign(new Error('no connection in time'), { code: 'EHOSTUNREACH' })),
      connectTimeoutMs,
    );
    const stop = (): void => clearTimeout(timer);
    socket.once('connect', stop).once('close', stop);
  });
}

function parseServer(text: string): URL {
  const url = URL.parse(text.endsWith('/') ? text : `${text}/`);
  if (!url || !['http:', 'https:'].includes(url.protocol)) {
    throw new VarveError('REQUEST_INVALID', `"${text}" is not the address of a server: expected http://HOST:PORT`, {
      server: text,
    });
  }
  return url;
}
