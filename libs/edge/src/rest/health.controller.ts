import { Controller, Get, Inject, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { ENGINE, type Engine } from '../engine.js';
import { Documented } from './documented.js';
import { health } from './schema.js';

@ApiTags('health')
@Controller()
export class HealthController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get('livez')
  @Documented({ summary: 'Whether the process runs', answers: { 200: { description: 'It does', json: health } } })
  live() {
    return { status: 'ok' };
  }

  @Get('readyz')
  @Documented({
    summary: 'Whether the process can answer and write',
    answers: {
      200: { description: 'It can', json: health },
      503: { description: 'The graph no longer follows the log; the reason says why', json: health },
    },
  })
  ready(@Res({ passthrough: true }) reply: FastifyReply) {
    const failure = this.engine.failure();
    if (!failure) return { status: 'ok' };
    void reply.status(503);
    return { status: 'failed', reason: failure.message };
  }
}
