import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { collectGarbage } from '../command/collect-garbage.js';
import { endTransaction, findTransaction } from '../command/end-transaction.js';
import { rebuildGraph, serverState } from '../command/server-state.js';
import { ENGINE, type Engine } from '../engine.js';
import { renderTransaction } from './answer.js';
import { Documented, writeFails, writeHeaders } from './documented.js';
import * as schema from './schema.js';
import { writeContext } from './write-request.js';

const gcQuery = z.strictObject({
  dryRun: z.enum(['true', 'false', '1', '0']).default('false').describe('Only tell what would be removed'),
  adopt: z
    .enum(['true', 'false', '1', '0'])
    .default('false')
    .describe('Take over a store that is also that of another event log, which was moved into this one'),
});

@ApiTags('maintenance')
@Controller('api/v1')
export class MaintenanceController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get('transactions/:txid')
  @Documented({
    summary: 'What became of a write whose answer was lost',
    description:
      'With `gcEpoch`, as the answer OUTCOME_UNKNOWN told it, it also says that the write never takes effect any more (409), or that what became of it is forgotten (410).',
    params: ['txid'],
    answers: { 200: { description: 'Its one outcome', json: schema.transaction } },
    fails: ['TRANSACTION_UNKNOWN', 'GC_EPOCH_STALE', 'OUTCOME_EXPIRED', 'NAME_INVALID'],
  })
  async transaction(
    @Param('txid') txid: string,
    @Query({ schema: schema.transactionQuery }) asked: z.infer<typeof schema.transactionQuery>,
  ) {
    return renderTransaction(this.engine, await findTransaction(this.engine, { txid, ...asked }));
  }

  @Post('transactions/:txid/cancel')
  @HttpCode(200)
  @Documented({
    summary: 'End a write whose outcome is unknown',
    description:
      'Afterwards it has an outcome: the one that it had, or TRANSACTION_CANCELLED, and no copy of it that is still on its way takes effect. `repo` and `gcEpoch` are those of the answer OUTCOME_UNKNOWN.',
    params: ['txid'],
    answers: { 200: { description: 'Its one outcome', json: schema.transaction } },
    fails: ['REPOSITORY_UNKNOWN', 'OUTCOME_EXPIRED', ...writeFails],
    headers: writeHeaders,
  })
  async cancel(
    @Param('txid') txid: string,
    @Body({ schema: schema.cancelledTransaction }) body: z.infer<typeof schema.cancelledTransaction>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const context = writeContext({ request, reply }, {});
    return renderTransaction(this.engine, await endTransaction(this.engine, { txid, ...body }, context));
  }

  @Get('state')
  @Documented({
    summary: 'How far the graph is, and the digest of all it holds',
    answers: {
      200: {
        description: 'Equal positions mean equal digests, on every instance and after every rebuild',
        json: schema.state,
      },
    },
  })
  async state() {
    return serverState(this.engine);
  }

  @Post('rebuild')
  @HttpCode(200)
  @Documented({
    summary: 'Make the graph again from the event log, beside the one in use, and compare them',
    answers: { 200: { description: 'It is in use now', json: schema.rebuilt } },
    fails: ['CORRUPT', 'LOG_TRUNCATED', 'UNAVAILABLE'],
  })
  async rebuild() {
    return rebuildGraph(this.engine);
  }

  @Post('gc')
  @HttpCode(200)
  @Documented({
    summary: 'Remove the stored copies of blobs that nothing names',
    description:
      'And what was derived from nothing that there still is, and what abandoned uploads left staged. What is younger than the grace period is left alone. Reads and writes go on meanwhile; the run stands in the event log as fences and what was swept. With dryRun nothing is appended and nothing removed. One run at a time.',
    answers: { 200: { description: 'What was removed, or would be', json: schema.collected } },
    fails: ['CONFIG_INVALID', 'OVERLOADED', 'OUTCOME_UNKNOWN', 'STORAGE_FULL', 'UNAVAILABLE'],
  })
  async collect(@Query({ schema: gcQuery }) { dryRun, adopt }: z.infer<typeof gcQuery>) {
    return collectGarbage(this.engine, { dryRun: isTrue(dryRun), adopt: isTrue(adopt) });
  }
}

function isTrue(text: 'true' | 'false' | '1' | '0'): boolean {
  return text === 'true' || text === '1';
}
