import * as http from 'node:http';
import * as https from 'node:https';
import type { Socket } from 'node:net';

/** The server said to try again, or that something of its own broke. */
export class ServerTrouble extends Error {
  override readonly name = 'ServerTrouble';
  readonly status: number;
  /** S3's own word: `SlowDown`, `InternalError`, `XMinioStorageFull`. */
  readonly code: string;

  constructor(status: number, code: string) {
    super(`the server answered ${status}${code === '' ? '' : ` (${code})`}`);
    this.status = status;
    this.code = code;
  }
}

const troubleStatuses: ReadonlySet<number> = new Set([408, 429, 499, 500, 502, 503, 504, 507, 520]);
const troubleBytesMax = 64 << 10;

/** What the client asks of `node:http`: one request at a time goes out through it. */
export interface Transport {
  request(options: http.RequestOptions, callback: (response: http.IncomingMessage) => void): http.ClientRequest;
  /** Closes idle connections. */
  close(): void;
}

export interface TransportOptions {
  readonly secure: boolean;
  readonly connectionsMax: number;
  /** A connection on which nothing moves for so long is given up: a stopped server does not close it. */
  readonly idleTimeoutMs: number;
}

/**
 * Connections to one server, kept open and used again, the latest first. Answers that tell of trouble become errors
 * here with their body read: the client would drop them unread, and with them their connection.
 */
export function openTransport({ secure, connectionsMax, idleTimeoutMs }: TransportOptions): Transport {
  const protocol = secure ? https : http;
  const agent = new protocol.Agent({ keepAlive: true, maxSockets: connectionsMax, scheduling: 'lifo' });
  return {
    request(options, callback) {
      const request = protocol.request({ ...options, agent }, (response) => {
        if (!troubleStatuses.has(response.statusCode ?? 0)) callback(response);
        else void readTrouble(response).then((trouble) => fail(request, trouble));
      });
      request.setTimeout(idleTimeoutMs, () => {
        request.destroy(Object.assign(new Error(`nothing moved for ${idleTimeoutMs} ms`), { code: 'ETIMEDOUT' }));
      });
      request.on('socket', sendAtOnce);
      return request;
    },
    close: () => agent.destroy(),
  };
}

/** A small request's header and body are two writes: without this the second waits for the answer to the first. */
function sendAtOnce(socket: Socket): void {
  socket.setNoDelay(true);
}

/** A request whose answer was read to its end is over for Node, which would keep the error to itself: nobody would be told. */
function fail(request: http.ClientRequest, trouble: ServerTrouble): void {
  if (request.destroyed) request.emit('error', trouble);
  else request.destroy(trouble);
}

async function readTrouble(response: http.IncomingMessage): Promise<ServerTrouble> {
  let body = '';
  try {
    for await (const bytes of response) if (body.length < troubleBytesMax) body += String(bytes);
  } catch {
    // The status says enough.
  }
  return new ServerTrouble(response.statusCode ?? 0, /<Code>(\w+)<\/Code>/.exec(body)?.[1] ?? '');
}
