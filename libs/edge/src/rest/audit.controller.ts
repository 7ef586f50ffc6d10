import { Controller, Get, Header, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiParam, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { auditLog, auditOf, auditProof } from '../command/audit.js';
import { auditCheck } from '../command/check-audit.js';
import { ENGINE, type Engine } from '../engine.js';
import * as schema from './audit-schema.js';
import { Documented } from './documented.js';
import { lineAnswers, sendLines } from './send-lines.js';

const plain = 'text/plain; charset=utf-8';
const fails = ['UNSUPPORTED', 'CHECKPOINT_FORKED', 'LOG_TRUNCATED', 'CORRUPT'] as const;

@ApiTags('audit')
@Controller('api/v1/audit')
export class AuditController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get('log')
  @Documented({
    summary: 'Who asked for what, why, when, and what became of it; refused proposals too',
    description: 'Oldest first. Every filter that is given must hold.',
    answers: lineAnswers('Lines of JSON: record…, summary {type, records}.'),
    fails: ['UNSUPPORTED', 'NOT_PROJECTED'],
  })
  async log(
    @Query({ schema: schema.auditLogQuery }) query: z.infer<typeof schema.auditLogQuery>,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    await sendLines(this.engine, { request, reply }, await auditLog(this.engine, query));
  }

  @Get('checkpoint')
  @Header('content-type', plain)
  @Header('cache-control', 'no-cache')
  @Documented({
    summary: 'The newest signed checkpoint, of everything up to now',
    answers: {
      200: { description: 'A signed note: origin, size, root, signature (C2SP tlog-checkpoint)', bytes: plain },
    },
    fails: [...fails, 'NOT_PROJECTED'],
  })
  async checkpoint(@Query({ schema: schema.partitionQuery }) { partition }: z.infer<typeof schema.partitionQuery>) {
    return auditOf(this.engine).checkpoint(partition);
  }

  @Get('key')
  @Header('content-type', plain)
  @Documented({
    summary: 'The public key that checkpoints are signed with',
    description: 'Take it once, over a way you trust, and keep it: a proof is worth what the key is worth.',
    answers: { 200: { description: 'NAME+ID+KEY (C2SP signed-note)', bytes: plain } },
    fails: ['UNSUPPORTED', 'NOT_PROJECTED'],
  })
  async key() {
    return `${await auditOf(this.engine).publicKey()}\n`;
  }

  @Get('tile/*')
  @ApiParam({ name: 'path', description: 'LEVEL/INDEX[.p/WIDTH] or entries/INDEX[.p/WIDTH]', type: 'string' })
  @Documented({
    summary: 'A tile of the tree, or a bundle of its entries (C2SP tlog-tiles)',
    answers: {
      200: { description: 'Hashes of 32 bytes, or entries after their lengths', bytes: 'application/octet-stream' },
    },
    fails: [...fails, 'RANGE_INVALID'],
  })
  async tile(
    @Param('*') path: string,
    @Query({ schema: schema.partitionQuery }) { partition }: z.infer<typeof schema.partitionQuery>,
    @Res() reply: FastifyReply,
  ) {
    const { bytes, isFull } = await auditOf(this.engine).tile(partition, `tile/${path}`);
    const age = isFull ? 'public, max-age=31536000, immutable' : 'no-cache';
    return reply
      .header('content-type', 'application/octet-stream')
      .header('cache-control', age)
      .send(Buffer.from(bytes));
  }

  @Get('consistency')
  @Documented({
    summary: 'What shows that one checkpoint continues another',
    answers: { 200: { description: 'The proof', json: schema.consistency } },
    fails: [...fails, 'RANGE_INVALID'],
  })
  async consistency(@Query({ schema: schema.consistencyQuery }) query: z.infer<typeof schema.consistencyQuery>) {
    const { from, to, partition } = query;
    return { from, to, path: [...(await auditOf(this.engine).consistency(partition, from, to))] };
  }

  @Get('proof')
  @Header('content-type', plain)
  @Documented({
    summary: 'What a ref pointed at, proved: a file to be checked without a server',
    description:
      'The last record at or before the time, its place in the signed tree, what the map of refs said at it, the record that had set the ref, and what the decision on that was made by. With `record`, a proof of one record, refused ones too.',
    answers: { 200: { description: 'C2SP tlog-proof', bytes: plain } },
    fails: [...fails, 'REPOSITORY_UNKNOWN', 'REF_UNKNOWN', 'TIME_UNKNOWN', 'NOT_PROJECTED'],
  })
  async proof(@Query({ schema: schema.auditProofQuery }) query: z.infer<typeof schema.auditProofQuery>) {
    return auditProof(this.engine, query);
  }

  @Post('check')
  @HttpCode(200)
  @Documented({
    summary: 'Hold the event log against the trees over it, and the trees against what was signed of them',
    description:
      'Lines of JSON: findings {type, rule, severity, what, where, message}, progress {type, records} twice a second, and the summary {type, records, faults}. A client that goes away stops it.',
    answers: lineAnswers('What is not as it was signed, as it is found.'),
    fails: ['UNSUPPORTED', 'NOT_PROJECTED'],
  })
  async check(@Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    await sendLines(this.engine, { request, reply }, auditCheck(this.engine));
  }
}
