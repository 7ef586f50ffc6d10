import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import { asVarveError } from './problem.js';
import { noteFailure } from './request-failure.js';

/**
 * Answers with bytes that are made while they are sent: large writes, the next one only when the socket has taken the
 * last, nothing kept. What fails before the first byte is thrown, to be answered as a problem; after it the
 * connection is cut, so that a tar that is not whole never ends well. When the client leaves, the source is closed.
 * The headers hold the exact Content-Length, or none: then the end is told by the last chunk, which a cut leaves out.
 */
export async function sendBytes(
  reply: FastifyReply,
  { status, headers }: { readonly status: number; readonly headers: OutgoingHttpHeaders },
  source: AsyncGenerator<Uint8Array>,
): Promise<void> {
  const first = await source.next();
  const response = reply.hijack().raw;
  response.writeHead(status, { ...headersOf(reply), ...headers });
  response.on('error', () => response.destroy());
  try {
    for (let step = first; !step.done && !response.destroyed; step = await source.next()) {
      const { value } = step;
      if (!response.write(value, () => free(value))) await drained(response);
    }
    response.end();
  } catch (thrown) {
    const { request } = reply;
    noteFailure(request.raw, asVarveError(thrown, { what: `${request.method} ${request.url}`, id: request.id }));
    response.destroy();
  } finally {
    await source.return(undefined);
  }
}

/**
 * Gives the memory of a chunk back as soon as the kernel has the bytes. Left to the garbage collector, a gigabyte of
 * chunks made it run for a third of the time. A chunk that shares its memory with others is left alone.
 */
function free({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

/** Until the socket takes more, or is gone. */
function drained(response: ServerResponse): Promise<void> {
  if (response.closed || response.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

/** The headers alone, as HEAD and 304 want them. */
export function sendHeaders(reply: FastifyReply, status: number, headers: OutgoingHttpHeaders): void {
  reply
    .hijack()
    .raw.writeHead(status, { ...headersOf(reply), ...headers })
    .end();
}

/** What was set before the framework was passed by. */
function headersOf(reply: FastifyReply): OutgoingHttpHeaders {
  return reply.getHeaders() as OutgoingHttpHeaders;
}
