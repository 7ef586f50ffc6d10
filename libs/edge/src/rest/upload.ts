import type { IncomingMessage } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { VarveError } from '#core/error';

/** How long, and how many bytes, a refused upload may go on, so that its sender gets to read the refusal. */
const lingerMs = 30_000;
const lingerBytesMax = 1 << 30;

/**
 * The bytes of an upload, as they come, with backpressure. Leaving off does not close the connection, so that a
 * refusal can be sent. A sender that goes away is CANCELLED.
 */
export async function* uploadedBytes({ raw }: FastifyRequest): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of raw.iterator({ destroyOnReturn: false })) yield chunk as Buffer;
  } catch (cause) {
    throw new VarveError('CANCELLED', 'the upload broke off before its end', {}, { cause });
  }
  if (!raw.complete) throw new VarveError('CANCELLED', 'the upload broke off before its end');
}

/** Whether a request has a body at all. @see RFC 9112 section 6 */
export function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

/**
 * Reads on and forgets what an answered request still sends: many clients read no answer before they have sent
 * everything, and closing at once would reset the connection under it.
 */
export function drainUpload(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  let drained = 0;
  const giveUp = setTimeout(() => request.destroy(), lingerMs).unref();
  request.on('data', (chunk: Buffer) => {
    drained += chunk.length;
    if (drained > lingerBytesMax) request.destroy();
  });
  request.once('close', () => clearTimeout(giveUp)).once('end', () => clearTimeout(giveUp));
  request.on('error', () => undefined);
}

/** Aborts when the client leaves before it has its answer. */
export function departure(reply: FastifyReply): AbortSignal {
  const left = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) left.abort(new VarveError('CANCELLED', 'the caller left'));
  });
  return left.signal;
}
