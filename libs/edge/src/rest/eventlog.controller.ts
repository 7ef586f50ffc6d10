import { Controller, Get, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { exportEventlog, importEventlog } from '../command/copy-eventlog.js';
import { ENGINE, type Engine } from '../engine.js';
import { readLines, renderLine } from '../eventlog-lines.js';
import { Documented } from './documented.js';
import { lineAnswers, sendLines } from './send-lines.js';
import { uploadedBytes } from './upload.js';

const imported = z.object({
  records: z.number().describe('Of the log that was copied'),
  position: z.string().describe('Where the copy ends, in each partition; as Varve-Min-Position it is waited for'),
});

@ApiTags('maintenance')
@Controller('api/v1/eventlog')
export class EventlogController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get()
  @Documented({
    summary: 'The whole event log, to be kept or copied into another',
    answers: lineAnswers(
      'Lines of JSON: eventlog {v, log, partitions}, record {partition, offset, time, bytes}…, summary {records, digest}.',
    ),
    fails: ['UNAVAILABLE'],
  })
  async export(@Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    await sendLines(this.engine, { request, reply }, rendered(this.engine));
  }

  @Post()
  @HttpCode(200)
  @ApiConsumes('application/x-ndjson')
  @ApiBody({ description: 'An exported log', schema: { type: 'string', format: 'binary' } })
  @Documented({
    summary: 'Copy an exported log into this one, which must be empty',
    description:
      'Decisions, versions of refs and times stay as they were; positions do not. Nothing is written before all of it has arrived and is whole. Blobs are copied apart.',
    answers: { 200: { description: 'How many records', json: imported } },
    fails: ['CONFIG_INVALID', 'UNSUPPORTED', 'LIMIT_EXCEEDED', 'OVERLOADED', 'STORAGE_FULL', 'UNAVAILABLE'],
  })
  async import(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    const done = await importEventlog(this.engine, readLines(uploadedBytes(request)));
    void reply.header('varve-position', done.position);
    return done;
  }
}

async function* rendered(engine: Engine) {
  for await (const line of exportEventlog(engine)) yield renderLine(line);
}
