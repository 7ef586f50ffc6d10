import { Controller, Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { RepositoryName } from '#core/name';
import { ENGINE, type Engine } from '../engine.js';
import { Watchers, type WatchStep } from '../watchers.js';
import { renderEvent } from './answer.js';
import { Documented } from './documented.js';
import { headerText } from './header-text.js';
import { addPosition } from './position-header.js';
import { RepositoryPipe } from './segment.pipe.js';
import { sendBytes, sendHeaders } from './send-bytes.js';
import { departure } from './upload.js';

const eventsQuery = z.strictObject({
  after: z
    .string()
    .optional()
    .describe(
      'Only events after this position, or `start` for all; without it and without Last-Event-ID only new ones',
    ),
});
const lastEventBytesMax = 255;

@ApiTags('history')
@Controller('api/v1/repos/:repo/events')
export class EventsController {
  constructor(
    @Inject(ENGINE) private readonly engine: Engine,
    @Inject(Watchers) private readonly watchers: Watchers,
  ) {}

  @Get()
  @Documented({
    summary: 'Every transaction of a repository with its outcome, in the order of the log, as it happens',
    description:
      'Server-sent events. `begun` says after which position it begins; each `transaction` has JSON with the envelope of its record and its outcome, rejected ones too. The id of each is its position, so a browser goes on by itself where it was cut. A comment every 15 s while nothing happens. It has no end.',
    params: ['repo'],
    answers: { 200: { description: 'Events', bytes: 'text/event-stream' } },
    fails: ['REPOSITORY_UNKNOWN', 'OVERLOADED'],
    headers: { 'Last-Event-ID': 'The position to go on after; wins over `after`' },
  })
  async watch(
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Query({ schema: eventsQuery }) { after }: z.infer<typeof eventsQuery>,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    const last = headerText('Last-Event-ID', request.headers['last-event-id'], lastEventBytesMax);
    await addPosition(this.engine, request, reply);
    const headers = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' };
    if (request.method === 'HEAD') return sendHeaders(reply, 200, headers);
    const steps = this.watchers.watch({ repo, after: last ?? after }, departure(reply));
    return sendBytes(reply, { status: 200, headers }, serverSentEvents(steps));
  }
}

/** @see https://html.spec.whatwg.org/multipage/server-sent-events.html */
async function* serverSentEvents(steps: AsyncIterable<WatchStep>): AsyncGenerator<Uint8Array> {
  for await (const step of steps) yield new TextEncoder().encode(`${textOf(step)}\n\n`);
}

function textOf(step: WatchStep): string {
  if (step.type === 'alive') return ': alive';
  const [name, data] =
    step.type === 'begun' ? ['begun', { position: step.position }] : ['transaction', renderEvent(step.event)];
  return `id: ${data.position}\nevent: ${name}\ndata: ${JSON.stringify(data)}`;
}
