import type { LoggerService } from '@nestjs/common';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { destination, type Logger, pino } from 'pino';
import type { VarveError } from '#core/error';
import { renderingOf } from '#edge/error-rendering';
import type { EndedCall } from '#edge/grpc/calls';
import { failureOf } from '#edge/rest/request-failure';
import type { LogLevel } from './config.js';

const stderr = 2;

/** JSON lines on standard error; standard output is for people. */
export function createLogger(level: LogLevel): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination({ fd: stderr, sync: true }));
}

/** One line for each request when it is over, however it ended; the fields are words of the glossary. */
/** What a projector says when it stops for a while. */
export function alarmed(logger: Logger): (alarm: VarveError) => void {
  return (alarm) => logger.error({ code: alarm.code, err: alarm }, `halted: ${alarm.message}`);
}

export function logRequests(http: FastifyInstance, logger: Logger): void {
  http.addHook('onRequest', (request, reply, done) => {
    // The framework's own hook at the end is not called when the client has left.
    reply.raw.once('close', () => logRequest(logger, request, reply));
    done();
  });
}

function logRequest(logger: Logger, request: FastifyRequest, reply: FastifyReply): void {
  const line = lineOf(request, reply);
  const failure = failureOf(request.raw);
  if (failure && renderingOf(failure.code).http >= 500)
    logger.error({ ...line, err: failure.cause ?? failure }, failure.message);
  else logger.info(line, failure?.message ?? 'request');
}

/** The same line for each gRPC call. */
export function logCall(logger: Logger, { id, method, repo, durationMs, error }: EndedCall): void {
  const line = {
    request: id,
    method: 'gRPC',
    route: method,
    code: error?.code,
    duration_ms: Math.round(durationMs * 10) / 10,
    repository: repo,
  };
  if (error && renderingOf(error.code).http >= 500) logger.error({ ...line, err: error.cause ?? error }, error.message);
  else logger.info(line, error?.message ?? 'request');
}

/** What the framework itself has to say: only when it is not well. */
export function frameworkLogger(logger: Logger): LoggerService {
  const say = (level: 'warn' | 'error' | 'fatal' | 'debug') => (message: unknown) =>
    logger[level]({ from: 'nest' }, String(message));
  return { log: say('debug'), warn: say('warn'), error: say('error'), fatal: say('fatal') };
}

function lineOf(request: FastifyRequest, reply: FastifyReply) {
  const { repo } = (request.params ?? {}) as { repo?: string };
  const left = reply.raw.writableFinished ? undefined : 'CANCELLED';
  return {
    request: request.id,
    method: request.method,
    route: request.routeOptions?.url ?? null,
    status: reply.raw.statusCode,
    code: failureOf(request.raw)?.code ?? left,
    duration_ms: Math.round(reply.elapsedTime * 10) / 10,
    repository: repo,
    position: reply.getHeader('varve-position'),
  };
}
