import { Controller, Get, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type Job, jobStates } from '#core/job';
import { limit } from '#core/limit';
import { watchJob } from '../command/await-job.js';
import { knownJob, unknownJob } from '../command/deliver-tarball.js';
import { jobIdIn, listJobs } from '../command/list-jobs.js';
import { ENGINE, type Engine } from '../engine.js';
import { Documented } from './documented.js';
import * as schema from './job-schema.js';
import { renderJob } from './render-job.js';
import { sendBytes, sendHeaders } from './send-bytes.js';
import { departure } from './upload.js';

const listQuery = z.strictObject({
  state: z.enum(jobStates).optional().describe('Only these; dead: those that were set aside'),
  limit: z.coerce.number().int().min(1).max(limit.pageMax).default(100),
  cursor: z.string().optional().describe('Of the page before'),
});

/** An event stream that says nothing for longer is taken for dead by what stands between. */
const quietMs = 15_000;

@ApiTags('jobs')
@Controller('api/v1/jobs')
export class JobsController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get()
  @Documented({
    summary: 'Jobs that make tarballs, changed last first',
    description: 'One that is over is told of for an hour; one that was set aside for 30 days, unless it is retried.',
    answers: { 200: { description: 'One page', json: schema.jobs } },
    fails: ['UNAVAILABLE'],
  })
  async list(@Query({ schema: listQuery }) { state, limit: size, cursor }: z.infer<typeof listQuery>) {
    const page = await listJobs(this.engine, { state, limit: size, cursor });
    return { ...page, jobs: await Promise.all(page.jobs.map((job) => this.#render(job))) };
  }

  @Get(':job')
  @Documented({
    summary: 'One job',
    params: ['job'],
    answers: { 200: { description: 'As it is now', json: schema.job } },
    fails: ['JOB_UNKNOWN', 'UNAVAILABLE'],
  })
  async show(@Param('job') id: string) {
    return this.#render(await knownJob(this.engine, jobIdIn(id)));
  }

  @Get(':job/events')
  @Documented({
    summary: 'One job as it goes on, as server-sent events',
    description:
      'An event "job" with the job as JSON at once and whenever it changes, at most twice a second; the stream ends with the job. Each tells everything, so nothing is lost by connecting again.',
    params: ['job'],
    answers: { 200: { description: 'Until the job is over', bytes: 'text/event-stream' } },
    fails: ['JOB_UNKNOWN', 'UNAVAILABLE'],
  })
  async events(@Param('job') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    const job = await knownJob(this.engine, jobIdIn(id));
    const headers = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' };
    if (request.method === 'HEAD') return sendHeaders(reply, 200, headers);
    return sendBytes(reply, { status: 200, headers }, this.#eventsOf(job, departure(reply)));
  }

  @Post(':job/retry')
  @HttpCode(200)
  @Documented({
    summary: 'Begin a job again that failed, was set aside or cancelled; no effect on others',
    params: ['job'],
    answers: { 200: { description: 'As it is now', json: schema.job } },
    fails: ['JOB_UNKNOWN', 'UNAVAILABLE'],
  })
  async retry(@Param('job') id: string) {
    return this.#changed(id, await this.engine.jobs.retry(jobIdIn(id)));
  }

  @Post(':job/cancel')
  @HttpCode(200)
  @Documented({
    summary: 'End a job: at once when it waits, soon when it runs; no effect on one that is over',
    params: ['job'],
    answers: { 200: { description: 'As it is now', json: schema.job } },
    fails: ['JOB_UNKNOWN', 'UNAVAILABLE'],
  })
  async cancel(@Param('job') id: string) {
    return this.#changed(id, await this.engine.jobs.cancel(jobIdIn(id)));
  }

  async #changed(id: string, job: Job | undefined) {
    if (!job) throw unknownJob(id);
    return this.#render(job);
  }

  async #render(job: Job) {
    return renderJob(job, job.state === 'done' ? await this.engine.jobs.tarball(job.wish.name) : undefined);
  }

  async *#eventsOf(job: Job, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    for await (const changed of watchJob(this.engine.jobs, job, { quietMs, signal })) {
      const text = changed ? `event: job\ndata: ${JSON.stringify(await this.#render(changed))}\n\n` : ': alive\n\n';
      yield new TextEncoder().encode(text);
    }
  }
}
