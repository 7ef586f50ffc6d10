import { Body, Controller, Get, Inject, Param, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { branchRef, parseRepositoryName, type RepositoryName } from '#core/name';
import { formatPosition } from '#core/position';
import { createRepository } from '#history/create-repository';
import { knownRepository } from '#query/known-repository';
import { ENGINE, type Engine } from '../engine.js';
import { renderRepository } from './answer.js';
import { Documented, writeFails, writeHeaders } from './documented.js';
import * as schema from './schema.js';
import { RepositoryPipe } from './segment.pipe.js';
import { writeContext } from './write-request.js';

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
    const { version, log, graph } = this.engine;
    const { offset } = await graph.checkpoint(0);
    return { product: 'varve', version, log: log.id, position: formatPosition({ log: log.id, partition: 0, offset: Math.max(offset, 0) }) }; // prettier-ignore
  }

  @Get('repos')
  @Documented({
    summary: 'The repositories',
    answers: { 200: { description: 'By name', json: schema.repositories } },
  })
  async list() {
    return { repositories: (await this.engine.graph.repositories()).map(renderRepository) };
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
    const repo = parseRepositoryName(body.repo);
    const context = writeContext({ request, reply }, { reason: body.reason });
    const { position, replayed } = await createRepository(
      this.engine,
      { repo, defaultBranch: branchRef(body.defaultBranch) },
      context,
    );
    void reply.headers({
      location: `/api/v1/repos/${encodeURIComponent(repo)}`,
      'varve-position': formatPosition(position),
    });
    const row = await knownRepository(this.engine.graph, repo);
    return { ...renderRepository(row), position: formatPosition(position), replayed };
  }

  @Get('repos/:repo')
  @Documented({
    summary: 'One repository',
    params: ['repo'],
    answers: { 200: { description: 'It', json: schema.repository } },
    fails: ['REPOSITORY_UNKNOWN'],
  })
  async get(@Param('repo', RepositoryPipe) repo: RepositoryName) {
    return renderRepository(await knownRepository(this.engine.graph, repo));
  }
}
