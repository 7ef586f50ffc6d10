import { HttpException } from '@nestjs/common';
import { type ErrorCode, type ErrorDetail, isVarveError, VarveError } from '#core/error';
import { renderingOf } from '../error-rendering.js';

/** What a client reads when a request fails. `code` is for programs; `fields` is the error's own detail. @see RFC 9457 */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly fields: ErrorDetail;
  /** Seconds; absent where asking again is of no use. */
  readonly retryAfter?: number;
  /** What was perhaps meant. */
  readonly suggestions?: readonly string[];
}

/** `conditional`: the request had a precondition, so a ref that moved is 412 and not 409. */
export function problemOf(error: VarveError, { conditional }: { readonly conditional: boolean }): Problem {
  const { title, http, retryAfterSeconds } = renderingOf(error.code);
  const { suggestions } = error.detail;
  return {
    type: `urn:varve:error:${error.code}`,
    title,
    status: error.code === 'REF_STALE' && conditional ? 412 : http,
    code: error.code,
    detail: error.message,
    fields: error.detail,
    ...(retryAfterSeconds === null ? {} : { retryAfter: retryAfterSeconds }),
    ...(Array.isArray(suggestions) && suggestions.length > 0 ? { suggestions: suggestions.map(String) } : {}),
  };
}

/**
 * Every failure as one of ours: the framework's by its status, anything unforeseen as INTERNAL, whose message stays in
 * the server's log.
 */
export function asVarveError(error: unknown, request: { readonly what: string; readonly id: string }): VarveError {
  if (isVarveError(error)) return error;
  const status = statusOf(error);
  const cause = { cause: error };
  const message = error instanceof Error ? error.message : String(error);
  if (status === 404)
    return new VarveError('PATH_UNKNOWN', `${request.what} is nothing this server answers`, {}, cause);
  if (status === 413) return new VarveError('LIMIT_EXCEEDED', `the body of ${request.what} is too large`, {}, cause);
  if (status !== undefined && status < 500) return new VarveError('REQUEST_INVALID', message, {}, cause);
  return new VarveError('INTERNAL', `${request.what} met a fault of ours; the server's log tells more under request ${request.id}`, { request: request.id }, cause); // prettier-ignore
}

function statusOf(error: unknown): number | undefined {
  if (error instanceof HttpException) return error.getStatus();
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  return typeof status === 'number' ? status : undefined;
}
