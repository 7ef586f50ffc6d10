import type { IncomingHttpHeaders } from 'node:http';
import type { Metadata } from '@grpc/grpc-js';
import { canonicalJson, type Json } from '#core/canonical-json';
import { VarveError } from '#core/error';
import type { WriteContext } from '#history/write';
import type { Engine } from '../engine.js';
import { actorOf } from '../rest/actor.js';
import { requestIdOf } from '../rest/request-id.js';
import { requestDigest } from '../rest/request-digest.js';
import { idempotencyKeyOf } from '../rest/write-request.js';

/** What a handler knows of its call besides the message. */
export interface Asked extends Call {
  /** As of `varve-at`, for a question that has it. */
  readonly engine: Engine;
}

export interface Call {
  /** `/varve.v1.RefService/GetRef` */
  readonly method: string;
  readonly id: string;
  /** The metadata, as REST's headers: `varve-actor`, `idempotency-key`, `varve-min-position`, `varve-at`. */
  readonly headers: IncomingHttpHeaders;
  /** Aborts when the caller leaves or its deadline passes. */
  readonly signal: AbortSignal;
}

/** What all four kinds of calls of grpc-js have. */
interface RawCall {
  readonly metadata: Metadata;
  readonly cancelled: boolean;
  getPath(): string;
  on(event: 'cancelled', listener: () => void): unknown;
}

export function callOf(raw: RawCall): Call {
  const left = new AbortController();
  const leave = (): void => left.abort(new VarveError('CANCELLED', 'the caller left, or its deadline passed'));
  raw.on('cancelled', leave);
  if (raw.cancelled) leave();
  const headers = headersOf(raw.metadata);
  return { method: raw.getPath(), id: requestIdOf({ headers }), headers, signal: left.signal };
}

/**
 * Who writes, why, and how a retry is known again. `asked` is what makes it this request and no other; keys belong to the
 * door they came through, as the requests behind them are written otherwise.
 * @throws REQUEST_INVALID
 */
export function writeContextOf(
  { method, id, headers, signal }: Call,
  { reason, asked }: { readonly reason: string; readonly asked: object },
): WriteContext {
  const idempotencyKey = idempotencyKeyOf({ headers });
  const request = idempotencyKey === null ? null : requestDigest({ method, message: canonicalJson(plain(asked)) });
  return { actor: actorOf(headers), requestId: id, reason, idempotencyKey, request, signal };
}

/** A message as JSON has it: members without a value are not there. */
function plain(value: unknown): Json {
  if (typeof value !== 'object' || value === null) return value as Json;
  if (Buffer.isBuffer(value)) return value.toString('base64');
  if (Array.isArray(value)) return value.map(plain);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name, plain(member)]));
}

/** `varve-actor-bin` is the actor as UTF-8: what has no `-bin` is ASCII in gRPC. */
function headersOf(metadata: Metadata): IncomingHttpHeaders {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(metadata.getMap())) {
    if (typeof value === 'string') headers[name] = value;
    else headers[name.replace(/-bin$/, '')] = value.toString('latin1');
  }
  return headers;
}
