import { Controller, Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { RepositoryName } from '#core/name';
import { type Diff, diff } from '#query/diff';
import { mergeBase } from '#query/merge-base';
import { parsePath } from '#query/path-argument';
import { resolve } from '#query/resolve';
import { usage } from '#query/usage';
import { diffLines } from '../command/diff-lines.js';
import { ENGINE, type Engine } from '../engine.js';
import { Documented } from './documented.js';
import * as schema from './question-schema.js';
import { renderChange, renderDiff } from './render-entry.js';
import { RepositoryPipe } from './segment.pipe.js';
import { lineAnswers, sendLines } from './send-lines.js';
import { ReadEngine } from './read-engine.js';

const paths = z
  .union([z.string(), z.array(z.string()).max(1_000)])
  .default([])
  .transform((given) => (Array.isArray(given) ? given : [given]));
const diffQuery = z.strictObject({
  from: z.string().optional().describe('A revision; without it the first parent of `to`, or the empty tree'),
  to: z.string().default('HEAD').describe('A revision'),
  mergeBase: schema.flag.describe('Compare with the merge base of both, as A...B does'),
  path: paths.describe('Only what is at or below it; may be given again'),
  stat: schema.flag.describe('Only the first line and the summary'),
  shadows: schema.flag.describe('Also what layers above those of `from` have again, and nothing of it is other (S)'),
  times: schema.flag.describe('Another time of modification is a change of metadata'),
});
const mergeBaseQuery = z.strictObject({ a: z.string().describe('A revision'), b: z.string().describe('A revision') });
const revisionFails = ['REPOSITORY_UNKNOWN', 'REF_UNKNOWN', 'COMMIT_UNKNOWN', 'REVISION_AMBIGUOUS'] as const;

@ApiTags('files')
@Controller('api/v1/repos/:repo')
export class DiffController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get('diff')
  @Documented({
    summary: 'How two commits differ: layers, configuration, and every path',
    description:
      'Classes: A added, M content changed, m only metadata, D deleted, T type changed, S a shadow. In the order of the canonical tar, from indexes alone.',
    params: ['repo'],
    answers: lineAnswers('Lines of JSON: head, change…, summary.'),
    fails: [...revisionFails, 'PATH_UNKNOWN', 'LIMIT_EXCEEDED', 'CORRUPT'],
  })
  async diff(
    @ReadEngine() engine: Engine,
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Query({ schema: diffQuery }) query: z.infer<typeof diffQuery>,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    const found = await diff(engine, repo, {
      from: query.from ?? null,
      to: query.to,
      fromMergeBase: schema.isSet(query.mergeBase),
      paths: query.path.map(parsePath),
      shadows: schema.isSet(query.shadows),
      times: schema.isSet(query.times),
    });
    await sendLines(engine, { request, reply }, linesOf(found, !schema.isSet(query.stat)));
  }

  @Get('merge-base')
  @Documented({
    summary: 'The best common ancestors of two commits',
    params: ['repo'],
    answers: { 200: { description: 'Their ids', json: schema.mergeBase } },
    fails: [...revisionFails, 'LIMIT_EXCEEDED'],
  })
  async mergeBase(
    @ReadEngine() engine: Engine,
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Query({ schema: mergeBaseQuery }) { a, b }: z.infer<typeof mergeBaseQuery>,
  ): Promise<z.infer<typeof schema.mergeBase>> {
    const [one, other] = [await resolve(engine, repo, a), await resolve(engine, repo, b)];
    return { bases: (await mergeBase(engine.graph, one.commit, other.commit)).map(({ id }) => id) };
  }

  @Get('usage')
  @Documented({
    summary: 'What the refs of a repository take: alone, shared, and as if nothing were shared',
    params: ['repo'],
    answers: { 200: { description: 'Bytes', json: schema.usage } },
    fails: ['REPOSITORY_UNKNOWN'],
  })
  async usage(
    @ReadEngine() engine: Engine,
    @Param('repo', RepositoryPipe) repo: RepositoryName,
  ): Promise<z.infer<typeof schema.usage>> {
    const used = await usage(engine.graph, repo);
    return { ...used, refs: used.refs.map((one) => ({ ...one })) };
  }
}

async function* linesOf(found: Diff, withChanges: boolean): AsyncGenerator<z.infer<typeof schema.diffLine>> {
  for await (const line of diffLines(found, withChanges)) {
    if (line.type === 'head') yield renderDiff(line.diff);
    else yield line.type === 'change' ? renderChange(line.change) : line;
  }
}
