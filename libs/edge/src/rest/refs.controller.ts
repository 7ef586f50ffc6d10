import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { VarveError } from '#core/error';
import { parseRefName, type RefName, type RepositoryName } from '#core/name';
import { getRef } from '#query/refs';
import { resolveRefName } from '#query/resolve';
import { refsOf } from '../command/list-refs.js';
import { deleteRef, putRef, restoreRef, rollbackRef, type WrittenRef } from '../command/move-ref.js';
import { putRefs } from '../command/move-refs.js';
import type { RefExpectation } from '../command/ref-expectation.js';
import { ENGINE, type Engine } from '../engine.js';
import { renderRef } from './answer.js';
import { Documented, preconditionFailed, writeFails, writeHeaders } from './documented.js';
import { judgeConditions } from './precondition.js';
import { parseRefTag, refTag } from './ref-tag.js';
import * as schema from './schema.js';
import { RefPipe, RepositoryPipe } from './segment.pipe.js';
import { writeContext } from './write-request.js';
import { ReadEngine } from './read-engine.js';

const listQuery = z.strictObject({
  contains: z.string().optional().describe('A revision: only refs from which it can be reached'),
});
const deleteQuery = z.strictObject({ reason: z.string().default('') });
const conditionHeaders = {
  'If-Match': '"<commit>.<version>" that the ref must have, or * for any',
  'If-None-Match': '* when the ref must not exist',
};
const moveFails = [
  'REPOSITORY_UNKNOWN',
  'REF_UNKNOWN',
  'COMMIT_UNKNOWN',
  'REVISION_AMBIGUOUS',
  'REF_STALE',
  'TAG_IMMUTABLE',
  'TAG_TOMBSTONED',
  'EXPECTATION_REQUIRED',
] as const;

@ApiTags('refs')
@Controller('api/v1/repos/:repo')
export class RefsController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get('refs')
  @Documented({
    summary: 'The branches and tags',
    params: ['repo'],
    answers: { 200: { description: 'By name', json: schema.refs } },
    fails: ['REPOSITORY_UNKNOWN', 'COMMIT_UNKNOWN', 'REVISION_AMBIGUOUS', 'LIMIT_EXCEEDED'],
  })
  async list(
    @ReadEngine() engine: Engine,
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Query({ schema: listQuery }) { contains }: z.infer<typeof listQuery>,
  ) {
    return { refs: (await refsOf(engine, repo, contains)).map(renderRef) };
  }

  @Get('refs/:ref')
  @Documented({
    summary: 'One branch or tag; a bare name is looked for as a tag first',
    params: ['repo', 'ref'],
    answers: {
      200: { description: 'It', json: schema.ref, headers: { ETag: '"<commit>.<version>"' } },
      304: { description: 'It has the ETag of If-None-Match' },
    },
    fails: ['REPOSITORY_UNKNOWN', 'REF_UNKNOWN'],
    headers: { 'If-None-Match': 'The ETag that is known' },
  })
  async get(
    @ReadEngine() engine: Engine,
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Param('ref') name: string,
    @Req() { headers }: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { graph } = engine;
    const ref = await getRef(graph, repo, await resolveRefName(graph, repo, name));
    const etag = refTag(ref.value);
    void reply.header('etag', etag);
    if (judgeConditions({ ifNoneMatch: headers['if-none-match'] }, etag) === 'go') return renderRef(ref);
    void reply.status(304);
    return undefined;
  }

  @Put('refs/:ref')
  @Documented({
    summary: 'Create or move a branch or tag, by compare-and-swap',
    description:
      'Without a condition the ref is compared with what it is when the request arrives. A tag moves only with mode force, and force only with If-Match: the value that is overwritten. A deleted tag comes back with the commit it had, with another one only by force.',
    params: ['repo', 'ref'],
    answers: {
      200: { description: 'It points there', json: schema.movedRef, headers: { ETag: '"<commit>.<version>"' } },
      ...preconditionFailed,
      201: { description: 'It is new', json: schema.movedRef, headers: { ETag: '"<commit>.<version>"' } },
    },
    fails: [...moveFails, 'NOT_FAST_FORWARD', ...writeFails],
    headers: { ...conditionHeaders, ...writeHeaders },
  })
  async put(
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Param('ref', RefPipe) ref: RefName,
    @Body({ schema: schema.refMove }) body: z.infer<typeof schema.refMove>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { to, mode, operation = 'update', reason } = body;
    const move = { repo, ref, to, mode, operation, expect: expectation(request) };
    const answer = told(reply, await putRef(this.engine, move, writeContext({ request, reply }, { reason })));
    void reply.status(answer.changed && answer.from === null ? 201 : 200);
    return answer;
  }

  @Delete('refs/:ref')
  @Documented({
    summary: 'Delete a branch or tag; its moves stay in the reflog',
    params: ['repo', 'ref'],
    answers: { 200: { description: 'It is gone', json: schema.movedRef }, ...preconditionFailed },
    fails: [...moveFails, ...writeFails],
    headers: { ...conditionHeaders, ...writeHeaders },
  })
  async delete(
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Param('ref', RefPipe) ref: RefName,
    @Query({ schema: deleteQuery }) { reason }: z.infer<typeof deleteQuery>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const move = { repo, ref, expect: expectation(request) };
    return told(reply, await deleteRef(this.engine, move, writeContext({ request, reply }, { reason })));
  }

  @Post('refs')
  @HttpCode(200)
  @Documented({
    summary: 'Create, move and delete branches and tags together: all of them or none',
    params: ['repo'],
    answers: { 200: { description: 'What became of each', json: schema.movedRefs }, ...preconditionFailed },
    fails: [...moveFails, 'NOT_FAST_FORWARD', ...writeFails],
    headers: writeHeaders,
  })
  async batch(
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Body({ schema: schema.refBatch }) { updates, reason }: z.infer<typeof schema.refBatch>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const wishes = updates.map(({ ref, expect, ...wish }) => ({
      ...wish,
      ref: parseRefName(ref),
      expect: expect === undefined ? undefined : wishedState(expect),
    }));
    const moved = await putRefs(this.engine, { repo, updates: wishes }, writeContext({ request, reply }, { reason }));
    void reply.header('varve-position', moved.position);
    return moved;
  }

  @Post('restore')
  @HttpCode(200)
  @Documented({
    summary: 'Make a branch or tag again where it was deleted',
    params: ['repo'],
    answers: {
      200: { description: 'It points there', json: schema.movedRef, headers: { ETag: '"<commit>.<version>"' } },
      ...preconditionFailed,
    },
    fails: ['REPOSITORY_UNKNOWN', 'REF_UNKNOWN', 'REF_STALE', ...writeFails],
    headers: writeHeaders,
  })
  async restore(
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Body({ schema: schema.restore }) { ref, reason }: z.infer<typeof schema.restore>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const asked = { repo, ref, expect: expectation(request) };
    return told(reply, await restoreRef(this.engine, asked, writeContext({ request, reply }, { reason })));
  }

  @Post('rollback')
  @HttpCode(200)
  @Documented({
    summary: 'Move a branch or tag to any earlier commit; a rollback is a move and can be rolled back',
    params: ['repo'],
    answers: {
      200: { description: 'It points there', json: schema.movedRef, headers: { ETag: '"<commit>.<version>"' } },
      ...preconditionFailed,
    },
    fails: [...moveFails, ...writeFails],
    headers: { 'If-Match': conditionHeaders['If-Match'], ...writeHeaders },
  })
  async rollback(
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Body({ schema: schema.rollback }) { to, moveTag, reason, ...body }: z.infer<typeof schema.rollback>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const move = { repo, ref: body.ref, to, moveTag, expect: expectation(request) };
    return told(reply, await rollbackRef(this.engine, move, writeContext({ request, reply }, { reason })));
  }
}

/** The headers that go with a ref that moved. */
function told(reply: FastifyReply, moved: WrittenRef): WrittenRef {
  const { commit, version, position } = moved;
  void reply.header('varve-position', position);
  if (commit !== null) void reply.header('etag', refTag({ commit, version }));
  return moved;
}

/** @throws REQUEST_INVALID */
function wishedState(text: string): RefExpectation {
  return text === 'absent' || text === 'present' ? text : parseRefTag(text);
}

/** What the conditions of a request demand, undefined without one. */
function expectation({ headers }: FastifyRequest): RefExpectation | undefined {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = headers;
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch.trim() === '*') return 'absent';
    throw new VarveError('REQUEST_INVALID', `If-None-Match of a write must be *, not ${ifNoneMatch}`);
  }
  if (ifMatch?.trim() === '*') return 'present';
  return ifMatch === undefined ? undefined : parseRefTag(ifMatch);
}
