import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { asVarveError, problemOf } from './problem.js';
import { noteFailure } from './request-failure.js';

/**
 * Every failure as `application/problem+json`. `Varve-Error` repeats the code, for the answer to HEAD has no body.
 * An answer that had begun cannot become a problem: its connection is cut, so that it never looks whole.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    answerProblem(thrown, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }
}

/** The same outside Nest's reach: for what the router itself refuses. */
export function answerProblem(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const error = asVarveError(thrown, { what: `${request.method} ${request.url}`, id: request.id });
  noteFailure(request.raw, error);
  if (reply.raw.headersSent || reply.raw.destroyed) {
    reply.raw.destroy();
    return;
  }
  void reply.send(problemText(error, request, reply));
}

/** The failure as the body of an answer, whose status and headers it sets. */
export function problemText(thrown: unknown, request: FastifyRequest, reply: FastifyReply): string {
  const error = asVarveError(thrown, { what: `${request.method} ${request.url}`, id: request.id });
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = request.headers;
  const problem = problemOf(error, { conditional: (ifMatch ?? ifNoneMatch) !== undefined });
  if (problem.retryAfter !== undefined) void reply.header('retry-after', problem.retryAfter);
  if (problem.code === 'RANGE_INVALID') void reply.header('content-range', `bytes */${error.detail['size'] as number}`);
  void reply
    .status(problem.status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .header('varve-error', problem.code);
  return JSON.stringify(problem);
}
