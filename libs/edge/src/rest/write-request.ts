import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { canonicalJson, type Json } from '#core/canonical-json';
import { VarveError } from '#core/error';
import { limit } from '#core/limit';
import type { WriteContext } from '#history/write';
import { actorOf } from './actor.js';
import { requestDigest } from './request-digest.js';
import { departure } from './upload.js';

/** Who writes, why, and how a retry is known again: the same for every write. @throws REQUEST_INVALID */
export function writeContext(
  { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
  { reason = '' }: { readonly reason?: string | undefined },
): WriteContext {
  const idempotencyKey = idempotencyKeyOf(request);
  const digest = idempotencyKey === null ? null : requestDigest(askedFor(request));
  const who = { actor: actorOf(request.headers), requestId: request.id };
  return { ...who, reason, idempotencyKey, request: digest, signal: departure(reply) };
}

/** The same write, told apart by its body too: that of an upload is known when it has arrived. */
export function withContent(context: WriteContext, content: string | undefined): WriteContext {
  const { request } = context;
  return request === null ? context : { ...context, request: requestDigest({ request, content }) };
}

/**
 * What makes it this request and no other, but for its headers that say who, when, and what was seen before: who sends
 * a write again may have read its effect since.
 */
function askedFor(request: FastifyRequest): Readonly<Record<string, string | undefined>> {
  return {
    method: request.method,
    route: request.routeOptions.url,
    params: canonicalJson(request.params as Json),
    query: canonicalJson({ ...(request.query as Record<string, Json>) }),
    body: request.body === undefined ? undefined : canonicalJson(request.body as Json),
  };
}

/** @throws REQUEST_INVALID */
export function idempotencyKeyOf({ headers }: { readonly headers: IncomingHttpHeaders }): string | null {
  const key = headers['idempotency-key'];
  if (key === undefined) return null;
  if (typeof key === 'string' && /^[\x21-\x7e]+$/.test(key) && key.length <= limit.idempotencyKeyBytesMax) return key;
  throw new VarveError(
    'REQUEST_INVALID',
    `Idempotency-Key is not 1 to ${limit.idempotencyKeyBytesMax} printable ASCII characters`,
  );
}
