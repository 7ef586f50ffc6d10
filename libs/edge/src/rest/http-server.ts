import { StandardSchemaValidationPipe } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { VarveError } from '#core/error';
import { limit } from '#core/limit';
import type { Engine } from '../engine.js';
import { serveOpenApi } from './openapi.js';
import { installPositions } from './position-header.js';
import { answerProblem, ProblemFilter } from './problem.filter.js';
import { nameRequests, requestIdOf } from './request-id.js';
import { installMoments } from './read-engine.js';
import { drainUpload } from './upload.js';

/** A connection on which nothing moves for so long, up or down, is given up. */
const silentConnectionMs = 600_000;
/** Messages of commits may come in the query, percent-encoded. */
const headBytesMax = 128 << 10;

/** The HTTP server before it has routes: bodies that are no JSON are left to be streamed. */
export function createHttpServer(): FastifyAdapter {
  const adapter = new FastifyAdapter({
    http: { maxHeaderSize: headBytesMax },
    connectionTimeout: silentConnectionMs,
    bodyLimit: limit.requestBodyBytesMax,
    return503OnClosing: false,
    genReqId: requestIdOf,
    routerOptions: { maxParamLength: headBytesMax },
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) =>
      answerProblem(error, request, reply),
  });
  nameRequests(instanceOf(adapter));
  instanceOf(adapter).addContentTypeParser('*', (_request, _payload, done) => done(null));
  return adapter;
}

/** Everything that is the same for every route: checks, problems, positions, drained uploads, the document. */
export function prepareHttp(app: NestFastifyApplication, engine: Engine): void {
  const http = instanceOf(app.getHttpAdapter() as FastifyAdapter);
  http.addHook('preHandler', async ({ method, url }) => {
    refuseWhileBehind(engine, url);
    refuseWritesOnceFailed(engine, method, url);
  });
  installPositions(http, engine);
  installMoments(http);
  http.addHook('onSend', async (request, _reply, payload) => {
    drainUpload(request.raw);
    return payload;
  });
  app.useGlobalPipes(new StandardSchemaValidationPipe({ exceptionFactory: invalidRequest }));
  app.useGlobalFilters(new ProblemFilter());
  serveOpenApi(app, engine.version);
}

export function instanceOf(adapter: FastifyAdapter): FastifyInstance {
  return adapter.getInstance();
}

/** An old graph says of what is there that it is not: an answer to wait for is better. Not of what asks no graph. */
function refuseWhileBehind(engine: Engine, url: string): void {
  const behind = engine.behind();
  if (behind && /^\/api\/v1\/(?!openapi\.json)/.test(url)) throw behind;
}

/** A write that no graph ever shows is worse than none. */
function refuseWritesOnceFailed(engine: Engine, method: string, url: string): void {
  const failure = engine.failure();
  // fsck writes nothing, and says what is wrong.
  if (!failure || method === 'GET' || method === 'HEAD' || /^\/api\/v1\/fsck(?:\?|$)/.test(url)) return;
  throw new VarveError('UNAVAILABLE', `nothing can be written: ${failure.message}`, {}, { cause: failure });
}

type Issues = Parameters<
  NonNullable<NonNullable<ConstructorParameters<typeof StandardSchemaValidationPipe>[0]>['exceptionFactory']>
>[0];

function invalidRequest(issues: Issues): VarveError {
  const told = issues.slice(0, 20).map(({ path = [], message }) => {
    const place = path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
    return place === '' ? message : `${place}: ${message}`;
  });
  return new VarveError('REQUEST_INVALID', `the request is not well formed: ${told.join('; ')}`, { issues: told });
}
