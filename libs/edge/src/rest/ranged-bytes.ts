import type { OutgoingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { VarveError } from '#core/error';
import { readRange } from './byte-range.js';
import { type Conditions, judgeConditions, rangeInForce } from './precondition.js';
import { sendBytes, sendHeaders } from './send-bytes.js';

/** Bytes that have a strong ETag before they are opened, and a length before they are read. */
export interface RangedBytes {
  readonly etag: string;
  readonly headers: OutgoingHttpHeaders;
  open(): Promise<{
    readonly size: number;
    read(from: number, to: number): AsyncGenerator<Uint8Array>;
    close?(): Promise<void>;
  }>;
}

/**
 * Answers GET and HEAD: 200, 206 for one range, 304 without opening anything. Several ranges get everything.
 * @throws REF_STALE (rendered as 412) when If-Match names other bytes, RANGE_INVALID, and what opening throws
 * @see RFC 9110 sections 13 to 15
 */
export async function sendRange(reply: FastifyReply, conditions: Conditions, bytes: RangedBytes): Promise<void> {
  const { etag } = bytes;
  const headers = { ...bytes.headers, etag, 'accept-ranges': 'bytes', 'cache-control': 'no-cache' };
  if (isKnown(conditions, etag)) return sendHeaders(reply, 304, headers);
  const opened = await bytes.open();
  try {
    const { size } = opened;
    const range = readRange(rangeInForce(conditions, etag), size);
    if (range === 'none') {
      throw new VarveError('RANGE_INVALID', `${conditions.range} is outside the ${size} bytes`, {
        range: conditions.range,
        size,
      });
    }
    const { from, to } = range === 'all' ? { from: 0, to: size } : range;
    const status = range === 'all' ? 200 : 206;
    const told = {
      ...headers,
      'content-length': to - from,
      ...(range === 'all' ? {} : { 'content-range': `bytes ${from}-${to - 1}/${size}` }),
    };
    if (reply.request.method === 'HEAD') sendHeaders(reply, status, told);
    else await sendBytes(reply, { status, headers: told }, opened.read(from, to));
  } finally {
    await opened.close?.();
  }
}

/** Bytes that are made while they are sent, of a length nobody knows before their end. */
export interface StreamedBytes {
  readonly etag: string;
  readonly headers: OutgoingHttpHeaders;
  open(): Promise<AsyncGenerator<Uint8Array>>;
}

/**
 * Answers GET and HEAD without a length: always everything, whatever range is asked for. Bytes that do not end as their
 * format wants are not whole: after an error the connection is cut, and the last chunk never comes.
 * @throws REF_STALE (rendered as 412), and what opening throws
 */
export async function sendStream(reply: FastifyReply, conditions: Conditions, bytes: StreamedBytes): Promise<void> {
  const { etag } = bytes;
  const headers = { ...bytes.headers, etag, 'accept-ranges': 'none', 'cache-control': 'no-cache' };
  if (isKnown(conditions, etag)) return sendHeaders(reply, 304, headers);
  if (reply.request.method === 'HEAD') return sendHeaders(reply, 200, headers);
  return sendBytes(reply, { status: 200, headers }, await bytes.open());
}

/** The client has these bytes already. @throws REF_STALE when If-Match names other bytes */
export function isKnown(conditions: Conditions, etag: string): boolean {
  const judged = judgeConditions(conditions, etag);
  if (judged !== 'failed') return judged === 'not-modified';
  throw new VarveError('REF_STALE', `the bytes have the ETag ${etag}, and If-Match wants ${conditions.ifMatch}`, {
    expected: conditions.ifMatch,
    actual: etag,
  });
}

export function conditionsOf({ headers }: FastifyRequest): Conditions {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch, 'if-range': ifRange, range } = headers;
  return { ifMatch, ifNoneMatch, ifRange: typeof ifRange === 'string' ? ifRange : undefined, range };
}

/** For the OpenAPI document. */
export const byteHeaders = {
  Range: 'One range of bytes; several are answered with everything',
  'If-Range': 'The ETag that the range is of; with another one everything is sent',
  'If-Match': 'The ETag that is wanted; with another one the answer is 412',
  'If-None-Match': 'The ETag that is known; with the same one the answer is 304',
};

/** For the OpenAPI document. */
export function rangeAnswers(mediaType: string, more: Readonly<Record<string, string>> = {}) {
  const headers = {
    ETag: 'Strong; equal means equal bytes',
    'Accept-Ranges': 'bytes',
    'Content-Length': 'Exact, also for HEAD',
    ...more,
  };
  return {
    200: { description: 'Everything', bytes: mediaType, headers },
    206: {
      description: 'The range',
      bytes: mediaType,
      headers: { ...headers, 'Content-Range': 'bytes FROM-LAST/SIZE' },
    },
    304: { description: 'It has the ETag of If-None-Match', headers: { ETag: headers.ETag } },
    412: { description: 'REF_STALE: it has another ETag than If-Match' },
  };
}
