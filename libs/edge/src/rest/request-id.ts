import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { limit } from '#core/limit';

const header = 'varve-request-id';

/**
 * The id of a request: what the client calls it in `Varve-Request-Id`, so that one id runs through its own log and ours,
 * or a new one. It stands in the server's log and in every event that the request writes.
 */
export function requestIdOf({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const given = headers[header];
  const isUsable = typeof given === 'string' && /^[\x21-\x7e]+$/.test(given) && given.length <= limit.requestIdBytesMax;
  return isUsable ? given : randomUUID();
}

/** Says it on every answer. */
export function nameRequests(http: FastifyInstance): void {
  http.addHook('onRequest', async (request, reply) => {
    void reply.header(header, request.id);
  });
}
