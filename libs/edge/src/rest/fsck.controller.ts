import { Controller, Inject, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ENGINE, type Engine } from '../engine.js';
import { fsck } from '../fsck.js';
import { Documented } from './documented.js';
import { addPosition } from './position-header.js';
import { sendBytes } from './send-bytes.js';
import { lineAnswers } from './send-lines.js';

const fsckQuery = z.strictObject({
  quick: z.enum(['true', 'false', '1', '0']).default('false').describe('Sizes and connections; no blob is read'),
});

@ApiTags('maintenance')
@Controller('api/v1/fsck')
export class FsckController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Post()
  @Documented({
    summary: 'Check everything that is kept, beside reads and writes',
    description:
      'Lines of JSON: findings {type, rule, severity, what, where, message}, progress {type, checked} twice a second, and the summary {type, quick, positions, faults, notices, checked}. A client that goes away stops it. One full run at a time.',
    answers: lineAnswers('What is not as it should be, as it is found.'),
    fails: ['OVERLOADED', 'UNAVAILABLE'],
  })
  async check(
    @Query({ schema: fsckQuery }) { quick }: z.infer<typeof fsckQuery>,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    await addPosition(this.engine, request, reply);
    const headers = { 'content-type': 'application/x-ndjson', 'cache-control': 'no-cache' };
    const lines = fsck(this.engine, { quick: quick === 'true' || quick === '1' });
    await sendBytes(reply, { status: 200, headers }, eachAtOnce(lines));
  }
}

/** Not gathered: a line that waits could not tell that its reader has left. */
async function* eachAtOnce(lines: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const line of lines) yield new TextEncoder().encode(`${JSON.stringify(line)}\n`);
}
