import { Controller, Get, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Auditor } from '#audit/auditor';
import type { ExportedLine } from '#audit/copy-log';
import { VarveError } from '#core/error';
import { limit } from '#core/limit';
import { ENGINE, type Engine } from '../engine.js';
import { Documented } from './documented.js';
import { lineAnswers, sendLines } from './send-lines.js';
import { uploadedBytes } from './upload.js';

const imported = z.object({ records: z.number().describe('Of the log that was copied') });
const lineTypes: readonly unknown[] = ['eventlog', 'record', 'summary'] satisfies ExportedLine['type'][];

@ApiTags('maintenance')
@Controller('api/v1/eventlog')
export class EventlogController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get()
  @Documented({
    summary: 'The whole event log, to be kept or copied into another',
    answers: lineAnswers('Lines of JSON: eventlog {log, partitions}, record {partition, offset, time, bytes}….'),
    fails: ['UNSUPPORTED'],
  })
  async export(@Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    await sendLines(this.engine, { request, reply }, this.#audit().exportLog());
  }

  @Post()
  @HttpCode(200)
  @ApiConsumes('application/x-ndjson')
  @ApiBody({ description: 'An exported log', schema: { type: 'string', format: 'binary' } })
  @Documented({
    summary: 'Copy an exported log into this one, which must be empty',
    description: 'Decisions, versions of refs and times stay as they were; positions do not. Blobs are copied apart.',
    answers: { 200: { description: 'How many records', json: imported } },
    fails: ['CONFIG_INVALID', 'UNSUPPORTED', 'LIMIT_EXCEEDED', 'STORAGE_FULL', 'UNAVAILABLE'],
  })
  async import(@Req() request: FastifyRequest) {
    return { records: await this.#audit().importLog(linesOf(uploadedBytes(request))) };
  }

  #audit(): Auditor {
    const { audit } = this.engine;
    if (audit) return audit;
    throw new VarveError(
      'UNSUPPORTED',
      'this process does not copy logs: ask the standalone process on this event log',
    );
  }
}

/** base64 of the largest record, and what stands around it. */
const lineCharactersMax = 2 * limit.importRecordBytesMax;

async function* linesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<ExportedLine> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of source) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > lineCharactersMax) throw new VarveError('LIMIT_EXCEEDED', 'a line is longer than any record');
    for (const line of lines) yield readLine(line);
  }
  if (rest !== '') yield readLine(rest);
}

function readLine(line: string): ExportedLine {
  try {
    const value = JSON.parse(line) as Record<string, unknown>;
    if (lineTypes.includes(value['type']) && isWhole(value)) return value as ExportedLine;
  } catch {
    // Falls through to the one message of ours.
  }
  throw new VarveError('REQUEST_INVALID', 'a line is not one of an exported event log');
}

function isWhole({ type, log, partition, offset, time, bytes, records }: Record<string, unknown>): boolean {
  if (type === 'record') return areCounts(partition, offset, time) && typeof bytes === 'string';
  return type === 'summary' ? areCounts(records) : typeof log === 'string' && /^[a-z0-9]{1,64}$/.test(log);
}

function areCounts(...values: readonly unknown[]): boolean {
  return values.every((value) => Number.isSafeInteger(value) && Number(value) >= 0);
}
