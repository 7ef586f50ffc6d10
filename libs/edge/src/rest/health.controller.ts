import { Controller, Get, Inject, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { HEALTH, type Health } from '../health.js';
import { Documented } from './documented.js';
import * as schema from './schema.js';

@ApiTags('health')
@Controller()
export class HealthController {
  constructor(@Inject(HEALTH) private readonly health: Health) {}

  @Get('livez')
  @Documented({
    summary: 'Whether the process runs',
    answers: { 200: { description: 'It does', json: schema.health } },
  })
  live() {
    return { status: 'ok' };
  }

  @Get('readyz')
  @Documented({
    summary: 'Whether the process can do its work',
    answers: {
      200: { description: 'It can', json: schema.health },
      503: { description: 'It cannot, and the reason says why: a store that is away, a graph that does not follow the log', json: schema.health }, // prettier-ignore
    },
  })
  async ready(@Res({ passthrough: true }) reply: FastifyReply) {
    const readiness = await this.health.ready();
    if (readiness.status === 'failed') void reply.status(503);
    return readiness;
  }
}
