import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { VarveError } from '#core/error';
import { parsePosition } from '#core/position';
import { anySignal } from './any-signal.js';
import { neverRetry, type RetryPolicy, withRetry } from './retry.js';
import { countedBody, type OnProgress } from './transfer.js';
import { type Exchange, type RequestBody, Transport } from './transport.js';

/** `actor` is what the caller says of itself; `signal` stops whatever is under way. */
export interface ConversationOptions {
  readonly server: string;
  readonly actor: string;
  readonly signal?: AbortSignal | undefined;
  readonly retry: RetryPolicy;
  /** Told of the bytes of uploads as they go. */
  readonly onProgress?: OnProgress | undefined;
  /** The moment that questions about history are of: a time or a position. Nothing can be written then. */
  readonly at?: string | undefined;
}

/** A write. The key makes its retries, ours and the caller's, one write; without one a new one is made. */
export interface Writing {
  readonly method: 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly query?: Query;
  readonly json?: unknown;
  readonly body?: RequestBody;
  readonly headers?: Readonly<Record<string, string>>;
  readonly idempotencyKey?: string | undefined;
}

/** Undefined members are left out; a list is given once for each of its members. */
export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/**
 * Requests and JSON answers in one session with a server. Remembers the position of every answer and asks later reads
 * to be at least as new, so a caller reads its own writes and never goes back in time, whichever instance answers.
 */
export class Conversation {
  readonly transport: Transport;
  readonly signal: AbortSignal | undefined;
  readonly #actor: string;
  readonly #retry: RetryPolicy;
  readonly #at: string | undefined;
  /** `<log>.<partition>` → the newest offset an answer has named. */
  readonly #seen: Map<string, number>;
  readonly #options: ConversationOptions;

  /** `session`: shares the connections and what is known of positions with it. */
  constructor(options: ConversationOptions, session?: Conversation) {
    this.transport = session?.transport ?? new Transport(options.server);
    this.#seen = session ? session.#seen : new Map();
    this.#options = options;
    this.signal = options.signal;
    this.#actor = headerBytes(options.actor);
    this.#retry = options.retry;
    this.#at = options.at;
  }

  /** The same session with ends of its own: both signals count. */
  within({ signal, onProgress }: Pick<ConversationOptions, 'signal' | 'onProgress'>): Conversation {
    const options = { ...this.#options, onProgress: onProgress ?? this.#options.onProgress };
    return new Conversation({ ...options, signal: anySignal(this.signal, signal) }, this);
  }

  get onProgress(): OnProgress | undefined {
    return this.#options.onProgress;
  }

  /** The newest positions that answers have named, as `Varve-Min-Position` takes them; undefined before the first. */
  get position(): string | undefined {
    if (this.#seen.size === 0) return undefined;
    return [...this.#seen].map(([partition, offset]) => `${partition}.${offset}`).join(', ');
  }

  async read<T>(path: string, query: Query = {}): Promise<T> {
    const exchange = { method: 'GET', path: this.#asOf(path, query), signal: this.signal } as const;
    return withRetry(() => this.#json<T>({ ...exchange, headers: this.readHeaders() }), this.#policy(this.#retry));
  }

  /** An answer that is text: a signed note, a proof, a key. */
  text(path: string, query: Query = {}): Promise<string> {
    const exchange = { method: 'GET', path: withQuery(path, query), signal: this.signal } as const;
    const ask = async (): Promise<string> => {
      const response = await this.transport.send({ ...exchange, headers: this.readHeaders() });
      const text = await readBody(response, exchange);
      this.remember(response);
      return text;
    };
    return withRetry(ask, this.#policy(this.#retry));
  }

  /**
   * An answer in lines of JSON, as they come; the last one has the type `summary`. Asked for again only until it begins.
   * @throws UNAVAILABLE when it breaks off before its summary
   */
  async *lines<T extends { readonly type: string }>(
    path: string,
    query: Query = {},
    method: 'GET' | 'POST' = 'GET',
  ): AsyncGenerator<T> {
    const exchange = { method, path: this.#asOf(path, query), signal: this.signal } as const;
    const open = (): Promise<IncomingMessage> => this.transport.send({ ...exchange, headers: this.readHeaders() });
    const response = await withRetry(open, this.#policy(this.#retry));
    this.remember(response);
    let last: string | undefined;
    try {
      for await (const line of linesOf(response, exchange)) {
        const value = JSON.parse(line) as T;
        last = value.type;
        yield value;
      }
    } finally {
      response.destroy();
    }
    if (last !== 'summary') throw brokenOff(exchange);
  }

  /** The data of server-sent events, as they come; comments and names are passed over. @throws UNAVAILABLE when it breaks off */
  async *events<T>(path: string): AsyncGenerator<T> {
    const exchange = { method: 'GET', path, signal: this.signal } as const;
    const open = (): Promise<IncomingMessage> => this.transport.send({ ...exchange, headers: this.readHeaders() });
    const response = await withRetry(open, this.#policy(this.#retry));
    this.remember(response);
    try {
      for await (const line of linesOf(response, exchange)) {
        if (line.startsWith('data: ')) yield JSON.parse(line.slice('data: '.length)) as T;
      }
    } finally {
      response.destroy();
    }
  }

  /** @throws REQUEST_INVALID when questions are of another moment than now */
  async write<T>(writing: Writing): Promise<T> {
    if (this.#at !== undefined) {
      throw new VarveError('REQUEST_INVALID', `only the present can be written, not ${this.#at}`, { at: this.#at });
    }
    const { onProgress } = this.#options;
    const upload = writing.body && onProgress ? countedBody(writing.body, onProgress) : writing.body;
    const body = writing.json === undefined ? upload : jsonBody(writing.json);
    const exchange: Exchange = {
      method: writing.method,
      path: withQuery(writing.path, writing.query ?? {}),
      signal: this.signal,
      headers: {
        accept: 'application/json',
        'varve-actor': this.#actor,
        'idempotency-key': headerBytes(writing.idempotencyKey ?? randomUUID()),
        ...writing.headers,
      },
      ...(body ? { body } : {}),
    };
    // Bytes from a pipe are gone once sent: the caller is told, and may send them again under the same key.
    const policy = body && !body.repeatable ? neverRetry : this.#retry;
    return withRetry(() => this.#json<T>(exchange), this.#policy(policy));
  }

  /** Only what is asked of histories has a past. */
  #asOf(path: string, query: Query): string {
    const hasPast = /^api\/v1\/(?:repos|tree-view)(?:\/|$)/.test(path);
    return withQuery(path, hasPast ? { ...query, at: this.#at } : query);
  }

  readHeaders(): Record<string, string> {
    const { position } = this;
    return { 'varve-actor': this.#actor, ...(position === undefined ? {} : { 'varve-min-position': position }) };
  }

  /** Keeps the positions that an answer names, unless newer ones are known. An answer about many partitions names many. */
  remember(response: IncomingMessage): void {
    const header = response.headers['varve-position'];
    if (typeof header !== 'string' || header === '') return;
    for (const text of header.split(',')) {
      const { log, partition, offset } = parsePosition(text.trim());
      const key = `${log}.${partition}`;
      this.#seen.set(key, Math.max(offset, this.#seen.get(key) ?? -1));
    }
  }

  async #json<T>(exchange: Exchange): Promise<T> {
    const response = await this.transport.send(exchange);
    const text = await readBody(response, exchange);
    this.remember(response);
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      const what = `${exchange.method} ${exchange.path}`;
      throw new VarveError(
        'REQUEST_INVALID',
        `the answer to ${what} is not JSON; is this address a Varve server?`,
        {},
        { cause },
      );
    }
  }

  #policy(policy: RetryPolicy): { policy: RetryPolicy; signal: AbortSignal | undefined } {
    return { policy, signal: this.signal };
  }
}

/** An answer that breaks off is as good as none: UNAVAILABLE, and the request may be sent again. */
async function readBody(response: IncomingMessage, exchange: Exchange): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  } catch (cause) {
    throw brokenOff(exchange, cause);
  }
  return Buffer.concat(chunks).toString();
}

/** Lines without their ends; what follows the last end is no line. */
async function* linesOf(response: IncomingMessage, exchange: Exchange): AsyncGenerator<string> {
  let rest = '';
  response.setEncoding('utf8');
  try {
    for await (const chunk of response as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } catch (cause) {
    throw brokenOff(exchange, cause);
  }
}

function brokenOff({ method, path, signal }: Exchange, cause?: unknown): VarveError {
  if (signal?.aborted) return new VarveError('CANCELLED', `${method} ${path} was interrupted`, {}, { cause });
  return new VarveError('UNAVAILABLE', `the answer to ${method} ${path} broke off`, {}, { cause });
}

function jsonBody(value: unknown): RequestBody {
  const bytes = Buffer.from(JSON.stringify(value));
  return {
    contentType: 'application/json',
    sizeBytes: bytes.length,
    repeatable: true,
    open: async function* () {
      yield bytes;
    },
  };
}

/** A path below a repository; each part is one segment, whatever slashes it has. */
export function repoPath(repo: string, ...parts: readonly string[]): string {
  return ['api/v1/repos', ...[repo, ...parts].map(encodeURIComponent)].join('/');
}

export function withQuery(path: string, query: Query): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? (value as readonly string[]) : [value])
      .filter((one) => one !== undefined)
      .map((one) => `${name}=${encodeURIComponent(String(one))}`),
  );
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`;
}

/** Headers carry bytes; Node writes them as Latin-1, so UTF-8 is handed over byte by byte. */
function headerBytes(text: string): string {
  return Buffer.from(text).toString('latin1');
}
