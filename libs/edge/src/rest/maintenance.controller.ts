import { Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { lookUpTransaction } from '#history/transaction';
import { rebuildGraph, serverState } from '../command/server-state.js';
import { ENGINE, type Engine } from '../engine.js';
import { renderTransaction } from './answer.js';
import { Documented } from './documented.js';
import * as schema from './schema.js';

@ApiTags('maintenance')
@Controller('api/v1')
export class MaintenanceController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get('transactions/:txid')
  @Documented({
    summary: 'What became of a write whose answer was lost',
    params: ['txid'],
    answers: { 200: { description: 'Its one outcome', json: schema.transaction } },
    fails: ['TRANSACTION_UNKNOWN'],
  })
  async transaction(@Param('txid') txid: string) {
    return renderTransaction(this.engine, await lookUpTransaction(this.engine.graph, txid));
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
}
