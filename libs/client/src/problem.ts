import type { IncomingMessage } from 'node:http';
import { type ErrorCode, type ErrorDetail, VarveError } from '#core/error';

/** No problem document is longer; what follows is not read. */
const problemBytesMax = 256 << 10;

/**
 * Turns an answer that is no success into the error the server meant. Reads the body to its end, so that the
 * connection can be used again. What is no problem document of ours (a proxy's page) is UNAVAILABLE from 500 on,
 * else REQUEST_INVALID: the server at that address is not a Varve.
 * @see RFC 9457
 */
export async function readProblem(response: IncomingMessage, what: string): Promise<VarveError> {
  const status = response.statusCode ?? 0;
  const text = await readText(response);
  const problem = parseProblem(text);
  if (problem) {
    return new VarveError(problem.code, problem.detail ?? problem.title ?? `${what} failed`, problem.fields);
  }
  return new VarveError(
    status >= 500 ? 'UNAVAILABLE' : 'REQUEST_INVALID',
    `${what}: the answer is HTTP ${status} without a Varve error code; is this address a Varve server?`,
    { status, body: text.slice(0, 200) },
  );
}

/** How long the server asks us to wait before the next try, in ms; undefined when it does not say. */
export function retryAfterMs(response: IncomingMessage): number | undefined {
  const seconds = Number(response.headers['retry-after']);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}

interface Problem {
  readonly code: ErrorCode;
  readonly title: string | undefined;
  readonly detail: string | undefined;
  readonly fields: ErrorDetail;
}

/** The members RFC 9457 gives; `code` is ours, and everything else is the error's own detail. */
function parseProblem(text: string): Problem | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { code, title, detail, fields } = parsed as Record<string, unknown>;
  if (typeof code !== 'string') return undefined;
  return {
    code: code as ErrorCode,
    title: typeof title === 'string' ? title : undefined,
    detail: typeof detail === 'string' ? detail : undefined,
    fields: typeof fields === 'object' && fields !== null ? (fields as ErrorDetail) : {},
  };
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes <= problemBytesMax) chunks.push(chunk);
    }
  } catch {
    // The status line has said that it failed; what the body would have added is lost with the connection.
  }
  return Buffer.concat(chunks).toString();
}
