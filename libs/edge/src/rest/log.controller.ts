import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { limit } from '#core/limit';
import type { RepositoryName } from '#core/name';
import { imageTree } from '#query/image-tree';
import { knownRepository } from '#query/known-repository';
import { log } from '#query/log';
import { readReflog } from '#query/reflog';
import { resolve, resolveRefName } from '#query/resolve';
import { show } from '#query/show';
import { ENGINE, type Engine } from '../engine.js';
import { renderCommit, renderMove, renderNode, renderShown } from './answer.js';
import { Documented } from './documented.js';
import * as schema from './schema.js';
import { RepositoryPipe } from './segment.pipe.js';
import { ReadEngine } from './read-engine.js';

const pageSize = z.coerce.number().int().min(1).max(limit.pageMax);
const logQuery = z.strictObject({
  rev: z.string().default('HEAD').describe('A revision, or a range: A..B, A...B'),
  limit: pageSize.default(100),
  cursor: z.string().optional().describe('Of the page before; rev is not looked at again'),
  firstParent: z.enum(['true', 'false', '1', '0']).default('false').describe('Only the chain of first parents'),
});
const reflogQuery = z.strictObject({
  ref: z.string().optional().describe('One branch or tag; all of them without it'),
  limit: pageSize.default(100),
  before: z.coerce.number().int().min(0).optional().describe('Of the page before'),
});
const resolveQuery = z.strictObject({ rev: z.string().describe('A revision') });
const revisionFails = [
  'REPOSITORY_UNKNOWN',
  'REF_UNKNOWN',
  'COMMIT_UNKNOWN',
  'REVISION_AMBIGUOUS',
  'UNSUPPORTED',
] as const;

@ApiTags('history')
@Controller('api/v1')
export class LogController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get('repos/:repo/commits')
  @Documented({
    summary: 'What a revision reaches, newest first, a child always before its parents',
    params: ['repo'],
    answers: { 200: { description: 'One page', json: schema.log } },
    fails: [...revisionFails],
  })
  async log(
    @ReadEngine() engine: Engine,
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Query({ schema: logQuery }) { rev, firstParent, ...page }: z.infer<typeof logQuery>,
  ) {
    const question = { ...page, revision: rev, firstParent: firstParent === 'true' || firstParent === '1' };
    const { commits, cursor } = await log(engine, repo, question);
    return { commits: commits.map((commit) => renderCommit(engine, commit)), cursor };
  }

  @Get('repos/:repo/commits/:rev')
  @Documented({
    summary: 'One commit in full, with its image configuration',
    params: ['repo', 'rev'],
    answers: { 200: { description: 'It', json: schema.shownCommit } },
    fails: [...revisionFails],
  })
  async show(
    @ReadEngine() engine: Engine,
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Param('rev') rev: string,
  ) {
    return renderShown(engine, await show(engine, repo, rev));
  }

  @Get('repos/:repo/resolve')
  @Documented({
    summary: 'The commit that a revision means now',
    params: ['repo'],
    answers: { 200: { description: 'Its id', json: schema.resolved } },
    fails: [...revisionFails],
  })
  async resolve(
    @ReadEngine() engine: Engine,
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Query({ schema: resolveQuery }) { rev }: z.infer<typeof resolveQuery>,
  ) {
    const { commit, ref, warning } = await resolve(engine, repo, rev);
    return { commit: commit.id, ref, warning };
  }

  @Get('repos/:repo/reflog')
  @Documented({
    summary: 'Who moved what, newest first; also the moves of refs that are deleted now',
    params: ['repo'],
    answers: { 200: { description: 'One page', json: schema.reflog } },
    fails: ['REPOSITORY_UNKNOWN', 'REF_UNKNOWN'],
  })
  async reflog(
    @ReadEngine() engine: Engine,
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Query({ schema: reflogQuery }) { ref, ...page }: z.infer<typeof reflogQuery>,
  ) {
    const { graph } = engine;
    const named = ref === undefined ? undefined : await resolveRefName(graph, repo, ref);
    const { moves, before } = await readReflog(graph, repo, { ...page, ref: named });
    return { moves: moves.map((move) => renderMove(engine, repo, move)), before };
  }

  @Get('repos/:repo/tree-view')
  @Documented({
    summary: 'The commits that refs reach, as `images --tree` draws them',
    params: ['repo'],
    answers: { 200: { description: 'Parents before children', json: schema.treeView } },
    fails: ['REPOSITORY_UNKNOWN', 'LIMIT_EXCEEDED'],
  })
  async treeView(@ReadEngine() engine: Engine, @Param('repo', RepositoryPipe) repo: RepositoryName) {
    await knownRepository(engine.graph, repo);
    return { nodes: (await imageTree(engine.graph, [repo])).map(renderNode) };
  }

  @Get('tree-view')
  @Documented({
    summary: 'The same of all repositories; what several have is one node',
    answers: { 200: { description: 'Parents before children', json: schema.treeView } },
    fails: ['LIMIT_EXCEEDED'],
  })
  async everyTreeView(@ReadEngine() engine: Engine) {
    const repos = (await engine.graph.repositories()).map(({ repo }) => repo);
    return { nodes: (await imageTree(engine.graph, repos)).map(renderNode) };
  }
}
