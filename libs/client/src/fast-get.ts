import { connect, type Socket } from 'node:net';
import { VarveError } from '#core/error';

/** One read of the socket takes up to this much; node:http takes 64 KiB, which costs half of the speed of a large body. */
const readBytes = 1 << 20;
/** What is left of a read buffer is used for the next read while it is at least this large. */
const readBytesMin = 64 << 10;
/** Bytes that wait for their reader before the socket is held. */
const waitingBytesMax = 4 << 20;
const headBytesMax = 64 << 10;
const headEnd = Buffer.from('\r\n\r\n');

/** The answer to one plain GET. `body` may be read once; leaving it, or `destroy`, closes the connection. */
export interface FastAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  body(): AsyncGenerator<Uint8Array>;
  destroy(): void;
}

interface FastRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal | undefined;
  /** A connection that says nothing for this long is given up. */
  readonly silenceMaxMs: number;
}

/**
 * Gets a large body of known length over a connection of its own, without the HTTP client in between: 216 MB from
 * loopback in 0.12 to 0.2 s instead of 0.29 to 0.38 s. Undefined when the answer is not a plain success of known length
 * (an error, another framing): then ask again through node:http, which reads everything.
 * @throws the system's own errors of the connection
 */
export async function fastGet(url: URL, request: FastRequest): Promise<FastAnswer | undefined> {
  const connection = new Connection(url, request);
  try {
    const head = await connection.head();
    const answer = parseHead(head);
    if (answer && (answer.status === 200 || answer.status === 206) && answer.lengthBytes !== undefined) {
      const { status, headers, lengthBytes } = answer;
      return { status, headers, body: () => connection.body(lengthBytes), destroy: () => connection.destroy() };
    }
  } catch (error) {
    connection.destroy();
    throw error;
  }
  connection.destroy();
  return undefined;
}

/** A socket that is read as fast as its reader takes. */
class Connection {
  readonly #socket: Socket;
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #buffer: Buffer = Buffer.alloc(0);
  #failure: Error | undefined;
  /** The kernel is not asked for more: the socket itself does not know this as paused. */
  #isHeld = false;
  #isClosed = false;
  #wake: (() => void) | undefined;

  constructor(url: URL, { headers, signal, silenceMaxMs }: FastRequest) {
    this.#socket = connect({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port || 80),
      onread: { buffer: () => this.#room(), callback: (count) => this.#take(count) },
      ...(signal ? { signal } : {}),
    });
    this.#socket.setTimeout(silenceMaxMs, () => this.#socket.destroy(new Error(`silent for ${silenceMaxMs / 1000} s`)));
    this.#socket.on('error', (error) => (this.#failure = error));
    this.#socket.on('close', () => {
      this.#isClosed = true;
      this.#wake?.();
    });
    this.#socket.write(requestHead(url, headers), 'latin1');
  }

  /** The bytes up to the empty line; what follows them waits. */
  async head(): Promise<string> {
    let bytes = Buffer.alloc(0);
    for (;;) {
      const chunk = await this.#next();
      if (!chunk) throw this.#failure ?? new Error('the connection ended before an answer');
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf(headEnd);
      if (end !== -1) {
        this.#putBack(bytes.subarray(end + headEnd.length));
        return bytes.toString('latin1', 0, end);
      }
      if (bytes.length > headBytesMax) throw new Error('the answer has no end of its header');
    }
  }

  async *body(lengthBytes: number): AsyncGenerator<Uint8Array> {
    try {
      for (let left = lengthBytes; left > 0;) {
        const chunk = await this.#next();
        if (!chunk) throw this.#failure ?? new Error('the connection ended');
        left -= chunk.length;
        yield chunk;
      }
    } finally {
      this.destroy();
    }
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async #next(): Promise<Uint8Array | undefined> {
    while (this.#waiting.length === 0) {
      if (this.#isClosed) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const chunk = this.#waiting.shift();
    this.#waitingBytes -= chunk?.length ?? 0;
    if (this.#isHeld && this.#waitingBytes <= waitingBytesMax / 2) {
      this.#isHeld = false;
      this.#socket.resume();
    }
    return chunk;
  }

  #putBack(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#waiting.unshift(bytes);
    this.#waitingBytes += bytes.length;
  }

  /** Memory for the next read: never memory that a reader may still look at. */
  #room(): Buffer {
    if (this.#buffer.length < readBytesMin) this.#buffer = Buffer.allocUnsafeSlow(readBytes);
    return this.#buffer;
  }

  /** Takes what was read; false holds the socket until a reader has caught up. */
  #take(count: number): boolean {
    this.#waiting.push(this.#buffer.subarray(0, count));
    this.#waitingBytes += count;
    this.#buffer = this.#buffer.subarray(count);
    this.#wake?.();
    this.#isHeld = this.#waitingBytes >= waitingBytesMax;
    return !this.#isHeld;
  }
}

function requestHead(url: URL, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries({ ...headers, host: url.host, connection: 'close' }).map(([name, value]) => {
    if (/[\r\n\0]/.test(value))
      throw new VarveError('REQUEST_INVALID', `${name} has a line break in it`, { header: name });
    return `${name}: ${value}`;
  });
  return `GET ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}

function parseHead(
  head: string,
): { status: number; headers: ReadonlyMap<string, string>; lengthBytes: number | undefined } | undefined {
  const [statusLine = '', ...lines] = head.split('\r\n');
  const status = /^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1];
  if (status === undefined) return undefined;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const length = headers.get('content-length');
  const isPlain = length !== undefined && /^\d{1,15}$/.test(length) && !headers.has('transfer-encoding');
  return { status: Number(status), headers, lengthBytes: isPlain ? Number(length) : undefined };
}
