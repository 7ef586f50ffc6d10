import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { CommitId } from '#core/commit';
import { VarveError } from '#core/error';
import type { RefOperation } from '#core/event';
import { isTag, type RefName, type RepositoryName, shortRefName } from '#core/name';
import { formatPosition } from '#core/position';
import type { MoveMode, RefValue } from '#core/ref';
import { readRef } from '#history/read-ref';
import { updateRef } from '#history/update-ref';
import { getRef, listRefs } from '#query/refs';
import { resolve, resolveRefName } from '#query/resolve';
import { ENGINE, type Engine } from '../engine.js';
import { renderRef } from './answer.js';
import { Documented, preconditionFailed, writeFails, writeHeaders } from './documented.js';
import { judgeConditions } from './precondition.js';
import { parseRefTag, refTag } from './ref-tag.js';
import * as schema from './schema.js';
import { RefPipe, RepositoryPipe } from './segment.pipe.js';
import { writeContext } from './write-request.js';

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
    fails: ['REPOSITORY_UNKNOWN'],
  })
  async list(@Param('repo', RepositoryPipe) repo: RepositoryName) {
    return { refs: (await listRefs(this.engine.graph, repo)).map(renderRef) };
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
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Param('ref') name: string,
    @Req() { headers }: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { graph } = this.engine;
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
      'Without a condition the ref is compared with what it is when the request arrives. A tag moves only with mode force.',
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
    const { commit } = await resolve(this.engine.graph, repo, body.to);
    const move = {
      repo,
      ref,
      to: commit.id,
      mode: body.mode,
      operation: body.operation ?? 'update',
      reason: body.reason,
    };
    const answer = await this.#move(move, { request, reply });
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
    return this.#move({ repo, ref, to: null, mode: 'force', operation: 'delete', reason }, { request, reply });
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
    const { graph } = this.engine;
    const { ref } = await getRef(graph, repo, await resolveRefName(graph, repo, body.ref));
    if (isTag(ref) && !moveTag) throw tagStays(ref);
    const { commit } = await resolve(graph, repo, to.startsWith('@{') ? `${ref}${to}` : to);
    return this.#move({ repo, ref, to: commit.id, mode: 'force', operation: 'rollback', reason }, { request, reply });
  }

  async #move(move: Move, exchange: Exchange) {
    const { repo, ref, to, reason, ...how } = move;
    const { graph, submitter } = this.engine;
    const context = writeContext(exchange, { reason });
    const before = await readRef(graph, repo, ref);
    const expect = expected(exchange.request, before);
    if (expect === 'some' && !(await submitter.seenOutcome(repo, context))) throw notThere(ref, before);
    const written = await updateRef(
      this.engine,
      { repo, ref, to, ...how, ...(expect === 'some' ? {} : { expect }) },
      context,
    );
    const moved = written.outcome.moves.find((each) => each.ref === ref);
    const value = { commit: moved ? moved.commit : to, version: moved?.version ?? before.version };
    const [entry] = moved ? await graph.reflog(repo, { ref, before: moved.version + 1, limit: 1 }) : [];
    const position = formatPosition(written.position);
    void exchange.reply.header('varve-position', position);
    if (value.commit !== null) void exchange.reply.header('etag', refTag(value));
    return {
      ref,
      name: shortRefName(ref),
      type: isTag(ref) ? 'tag' : 'branch',
      ...value,
      from: entry ? entry.from : before.commit,
      changed: moved !== undefined,
      position,
      replayed: written.replayed,
    };
  }
}

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

interface Move {
  readonly repo: RepositoryName;
  readonly ref: RefName;
  readonly to: CommitId | null;
  readonly mode: MoveMode;
  readonly operation: RefOperation;
  readonly reason: string;
}

/** The value that the conditions of a request demand, undefined without one; `some` when it must exist and does not. */
function expected({ headers }: FastifyRequest, actual: RefValue): RefValue | 'some' | undefined {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = headers;
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch.trim() === '*') return { commit: null, version: actual.version };
    throw new VarveError('REQUEST_INVALID', `If-None-Match of a write must be *, not ${ifNoneMatch}`);
  }
  if (ifMatch?.trim() !== '*') return ifMatch === undefined ? undefined : parseRefTag(ifMatch);
  return actual.commit === null ? 'some' : actual;
}

function notThere(ref: RefName, actual: RefValue): VarveError {
  return new VarveError('REF_STALE', `${ref} does not exist, and If-Match wants it to`, { ref, expected: '*', actual });
}

function tagStays(ref: RefName): VarveError {
  return new VarveError('TAG_IMMUTABLE', `${ref} is a tag and stays where it is unless the request says moveTag`, {
    ref,
  });
}
