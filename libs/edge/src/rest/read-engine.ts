import { createParamDecorator, type ExecutionContext, Inject, Injectable, type PipeTransform } from '@nestjs/common';
import { ApiQuery } from '@nestjs/swagger';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { VarveError } from '#core/error';
import { engineAsOf, positionAsOf } from '../as-of.js';
import { ENGINE, type Engine } from '../engine.js';
import { noteWaited } from './position-header.js';

const moments = new WeakMap<FastifyRequest, unknown>();

/** Only what is asked of histories has a past; the audit has times of its own. */
const pastPattern = /^\/api\/v1\/(?:repos|tree-view)(?:[/?]|$)/;

/**
 * Takes `?at=` from every question about histories, before the schemas of questions look: all of them may have it, and
 * none need name it. @throws REQUEST_INVALID for a write of the past
 */
export function installMoments(http: FastifyInstance): void {
  http.addHook('preHandler', async (request) => {
    const query = request.query as { at?: unknown } | undefined;
    if (query?.at === undefined || !pastPattern.test(request.url)) return;
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      throw new VarveError('REQUEST_INVALID', 'at is for questions: only the present can be written', { at: query.at });
    }
    moments.set(request, query.at);
    delete query.at;
  });
}

/** The engine that answers as of a moment; the present one without it. */
@Injectable()
export class EngineAsOfPipe implements PipeTransform<FastifyRequest, Promise<Engine>> {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  async transform(request: FastifyRequest): Promise<Engine> {
    const engine = await engineAsOf(this.engine, moments.get(request));
    noteWaited(request, positionAsOf(engine));
    return engine;
  }
}

const asked = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  context.switchToHttp().getRequest<FastifyRequest>(),
);

/** The engine of a question, as of its `?at=`. Whoever asks `this.engine` instead answers of now. */
export function ReadEngine(): ParameterDecorator {
  return (target, name, index) => {
    asked(EngineAsOfPipe)(target, name, index);
    const descriptor = name === undefined ? undefined : Object.getOwnPropertyDescriptor(target, name);
    if (name === undefined || !descriptor) return;
    const description = 'Answer as of this time (2026-11-01T12:00:00Z, 3.days.ago) by the log, or this position';
    ApiQuery({ name: 'at', required: false, description })(target, name, descriptor);
  };
}
