import { Controller, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { VarveError } from '#core/error';
import { limit } from '#core/limit';
import type { RefName, RepositoryName } from '#core/name';
import type { RefValue } from '#core/ref';
import { knownRepository } from '#query/known-repository';
import { commitOnBranch, type LayerSource } from '../command/commit-on-branch.js';
import { ENGINE, type Engine } from '../engine.js';
import { Documented, preconditionFailed, writeFails, writeHeaders } from './documented.js';
import { headerText } from './header-text.js';
import { parseRefTag, refTag } from './ref-tag.js';
import * as schema from './schema.js';
import { BranchPipe, RepositoryPipe } from './segment.pipe.js';
import { hasBody, uploadedBytes } from './upload.js';
import { withContent, writeContext } from './write-request.js';

type Fields = z.infer<typeof schema.newCommitQuery>;

@ApiTags('history')
@Controller('api/v1/repos/:repo/branches/:branch/commits')
export class BranchCommitsController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Post()
  @ApiConsumes('application/octet-stream', 'application/x-tar', 'application/gzip', 'application/zstd')
  @ApiBody({ required: false, description: 'A layer: a tar, plain, gzip or zstd. None, and no `layer` in the query: the commit has metadata alone', schema: { type: 'string', format: 'binary' } }) // prettier-ignore
  @Documented({
    summary: 'Put a layer and a message on a branch',
    description:
      'The fields are in the query, or in headers Varve-Message, Varve-Author, Varve-Time and Varve-Label as UTF-8.',
    params: ['repo', 'branch'],
    answers: {
      ...preconditionFailed,
      201: {
        description: 'The commit is the tip now',
        json: schema.createdCommit,
        headers: { ETag: 'Of the branch', Location: 'Of the commit' },
      },
    },
    fails: [
      'REPOSITORY_UNKNOWN',
      'REF_UNKNOWN',
      'REF_STALE',
      'REVISION_AMBIGUOUS',
      'LAYER_INVALID',
      'BLOB_UNKNOWN',
      'BLOB_GONE',
      'COMMIT_INVALID',
      'LIMIT_EXCEEDED',
      ...writeFails,
    ],
    headers: { 'If-Match': '"<commit>.<version>" that the branch must have', ...writeHeaders },
  })
  async commit(
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Param('branch', BranchPipe) branch: RefName,
    @Query({ schema: schema.newCommitQuery }) query: Fields,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    await knownRepository(this.engine.graph, repo);
    const commit = { repo, branch, ...commitFields(request, query), ...expectation(request, query) };
    const context = writeContext({ request, reply }, { reason: query.reason });
    const made = await commitOnBranch(this.engine, commit, {
      source: layerSource(request, query.layer),
      withContent: (digest) => withContent(context, digest),
    });
    void reply.headers({
      etag: refTag(made),
      location: `/api/v1/repos/${encodeURIComponent(repo)}/commits/${made.commit}`,
      'varve-position': made.position,
    });
    return made;
  }
}

/** @throws REQUEST_INVALID when the request has bytes and names a layer as well */
function layerSource(request: FastifyRequest, stored: string | undefined): LayerSource {
  if (stored === undefined)
    return hasBody(request) ? { type: 'bytes', bytes: uploadedBytes(request) } : { type: 'none' };
  if (!hasBody(request)) return { type: 'stored', layer: stored };
  throw new VarveError(
    'REQUEST_INVALID',
    `the request names the stored layer ${stored} and has a body: give one of them`,
  );
}

/** The query wins over the headers. @throws REQUEST_INVALID */
function commitFields({ headers }: FastifyRequest, query: Fields) {
  const text = (name: string) => headerText(name, headers[name.toLowerCase()], limit.commitTextBytesMax);
  const label =
    query.label ??
    text('Varve-Label')
      ?.split(',')
      .map((each) => each.trim()) ??
    [];
  return {
    message: query.message ?? text('Varve-Message') ?? '',
    author: query.author ?? text('Varve-Author') ?? '',
    time: query.time ?? text('Varve-Time') ?? null,
    labels: readLabels(typeof label === 'string' ? [label] : label),
  };
}

function readLabels(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=');
      if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
      throw new VarveError('REQUEST_INVALID', `"${text}" is not a label: expected key=value`, { label: text });
    }),
  );
}

function expectation({ headers }: FastifyRequest, { expect }: Fields): { expect?: RefValue } {
  const text = headers['if-match'] ?? expect;
  return text === undefined ? {} : { expect: parseRefTag(text) };
}
