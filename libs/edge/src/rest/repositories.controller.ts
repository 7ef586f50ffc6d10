import { Body, Controller, Get, Inject, Param, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { RepositoryName } from '#core/name';
import { knownRepository } from '#query/known-repository';
import { createRepo } from '../command/create-repository.js';
import { about } from '../command/server-state.js';
import { ENGINE, type Engine } from '../engine.js';
import { renderRepository } from './answer.js';
import { Documented, writeFails, writeHeaders } from './documented.js';
import * as schema from './schema.js';
import { RepositoryPipe } from './segment.pipe.js';
import { writeContext } from './write-request.js';
import { ReadEngine } from './read-engine.js';

@ApiTags('repositories')
@Controller('api/v1')
export class RepositoriesController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get()
  @Documented({
    summary: 'What answers here, and how far its graph is',
    answers: { 200: { description: 'The server', json: schema.about } },
  })
  async about() {
    return about(this.engine);
  }

  @Get('repos')
  @Documented({
    summary: 'The repositories',
    answers: { 200: { description: 'By name', json: schema.repositories } },
  })
  async list(@ReadEngine() engine: Engine) {
    return { repositories: (await engine.graph.repositories()).map(renderRepository) };
  }

  @Post('repos')
  @Documented({
    summary: 'Create a repository with its genesis commit and its default branch',
    answers: {
      201: { description: 'It exists now', json: schema.createdRepository, headers: { Location: 'Its address' } },
    },
    fails: ['REPOSITORY_EXISTS', ...writeFails],
    headers: writeHeaders,
  })
  async create(
    @Body({ schema: schema.newRepository }) body: z.infer<typeof schema.newRepository>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const context = writeContext({ request, reply }, { reason: body.reason });
    const { repository, position, replayed } = await createRepo(this.engine, body, context);
    void reply.headers({
      location: `/api/v1/repos/${encodeURIComponent(repository.repo)}`,
      'varve-position': position,
    });
    return { ...renderRepository(repository), position, replayed };
  }

  @Get('repos/:repo')
  @Documented({
    summary: 'One repository',
    params: ['repo'],
    answers: { 200: { description: 'It', json: schema.repository } },
    fails: ['REPOSITORY_UNKNOWN'],
  })
  async get(@ReadEngine() engine: Engine, @Param('repo', RepositoryPipe) repo: RepositoryName) {
    return renderRepository(await knownRepository(engine.graph, repo));
  }
}
