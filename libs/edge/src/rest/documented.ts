import { applyDecorators } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiParam, ApiResponse } from '@nestjs/swagger';
import type { z } from 'zod';
import type { ErrorCode } from '#core/error';
import { renderingOf } from '../error-rendering.js';

/** What one route promises, for the OpenAPI document. */
export interface Promised {
  readonly summary: string;
  readonly description?: string;
  readonly params?: readonly (keyof typeof paramMeanings)[];
  /** Status to its answer: JSON of a schema, bytes of a media type, or no body. */
  readonly answers: Readonly<Record<number, Answered>>;
  /** Codes it may fail with, besides those any request may. */
  readonly fails?: readonly ErrorCode[];
  /** Request headers by name: what each is for. */
  readonly headers?: Readonly<Record<string, string>>;
}

interface Answered {
  readonly description: string;
  readonly json?: z.ZodType;
  readonly bytes?: string;
  /** Response headers by name. */
  readonly headers?: Readonly<Record<string, string>>;
}

const everyAnswer = { 'Varve-Position': 'How far the graph was: no question with it as Varve-Min-Position sees less' };
const anyRequest: readonly ErrorCode[] = [
  'REQUEST_INVALID',
  'NAME_INVALID',
  'NOT_PROJECTED',
  'POSITION_UNKNOWN',
  'INTERNAL',
];

/** The request headers of every write. */
export const writeHeaders = {
  'Idempotency-Key': 'The same key and request mean the same write, however often it is sent',
  'Varve-Actor': 'Who writes, as UTF-8; kept in the reflog, not verified',
} as const;

/** The codes of every write. */
export const writeFails: readonly ErrorCode[] = [
  'IDEMPOTENCY_KEY_REUSED',
  'OUTCOME_UNKNOWN',
  'UNAVAILABLE',
  'STORAGE_FULL',
];

const paramMeanings = {
  repo: 'A repository, as one percent-encoded segment',
  ref: 'refs/heads/…, heads/…, refs/tags/… or tags/…, as one percent-encoded segment',
  branch: 'The name of a branch, as one percent-encoded segment',
  rev: 'A revision, as one percent-encoded segment',
  digest: 'sha256: and 64 hex digits',
  layer: 'A diffID, or its first digits (four or more)',
  txid: 'The id of a transaction',
  job: 'The id of a job: 32 hex digits',
  tarball: 'The name of a tarball',
};

/** The answer to a condition that does not hold. */
export const preconditionFailed = { 412: { description: 'REF_STALE: If-Match or If-None-Match does not hold' } };

export function Documented({
  summary,
  description,
  params = [],
  answers,
  fails = [],
  headers = {},
}: Promised): MethodDecorator {
  const asked = { ...headers, 'Varve-Min-Position': 'Wait until the graph is there, at most 2 s' };
  return applyDecorators(
    ApiOperation({ summary, ...(description === undefined ? {} : { description }) }),
    ...params.map((name) => ApiParam({ name, description: paramMeanings[name], type: 'string' })),
    ...Object.entries(asked).map(([name, use]) => ApiHeader({ name, description: use, required: false })),
    ...Object.entries(answers).map(([status, answered]) => documentAnswer(Number(status), answered)),
    ...documentFailures([...fails, ...anyRequest]),
  );
}

function documentAnswer(status: number, { description, json, bytes, headers = {} }: Answered): MethodDecorator {
  const told = { status, description, headers: headersOf({ ...everyAnswer, ...headers }) };
  if (json) return ApiResponse({ ...told, standardSchema: json });
  if (bytes === undefined) return ApiResponse(told);
  return ApiResponse({ ...told, content: { [bytes]: { schema: { type: 'string', format: 'binary' } } } });
}

/** One response for each status, which names its codes. */
function documentFailures(codes: readonly ErrorCode[]): MethodDecorator[] {
  const byStatus = Map.groupBy(new Set(codes), (code) => renderingOf(code).http);
  return [...byStatus].map(([status, same]) =>
    ApiResponse({
      status,
      description: same.map((code) => `${code}: ${renderingOf(code).title}`).join('. '),
      headers: headersOf({ ...everyAnswer, 'Varve-Error': 'The code again, for HEAD' }),
      content: { 'application/problem+json': { schema: problemSchema } },
    }),
  );
}

const problemSchema = { $ref: '#/components/schemas/Problem' };

function headersOf(descriptions: Readonly<Record<string, string>>) {
  return Object.fromEntries(
    Object.entries(descriptions).map(([name, description]) => [
      name,
      { description, schema: { type: 'string' as const } },
    ]),
  );
}
