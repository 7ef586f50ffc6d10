import { Controller, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { VarveError } from '#core/error';
import { parsePlatform } from '#core/manifest';
import type { RepositoryName } from '#core/name';
import { loadArchive } from '#history/load-archive';
import { ENGINE, type Engine } from '../engine.js';
import { renderLoad } from './answer.js';
import { Documented, writeFails, writeHeaders } from './documented.js';
import * as schema from './schema.js';
import { RepositoryPipe } from './segment.pipe.js';
import { hasBody, uploadedBytes } from './upload.js';
import { writeContext } from './write-request.js';

const loadQuery = z.strictObject({
  moveTags: z.enum(['true', 'false', '1', '0']).default('false').describe('Move tags that point elsewhere'),
  reason: z.string().default(''),
  platform: z
    .string()
    .optional()
    .describe('OS/ARCHITECTURE[/VARIANT]: of an image for several platforms, this one; else all, grouped'),
});
const loadFails = [
  'ARCHIVE_INVALID',
  'LAYER_INVALID',
  'MANIFEST_INVALID',
  'DIGEST_MISMATCH',
  'TAG_IMMUTABLE',
  'REF_STALE',
  'LIMIT_EXCEEDED',
] as const;
const archiveBody = {
  description: 'An image archive: docker save of any age, or an OCI layout as a tar; plain, gzip or zstd',
  schema: { type: 'string', format: 'binary' },
} as const;

@ApiTags('archives')
@Controller('api/v1')
export class ArchivesController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Post('archives')
  @ApiConsumes('application/octet-stream', 'application/x-tar', 'application/gzip')
  @ApiBody(archiveBody)
  @Documented({
    summary: 'Load an image archive; its own names say into which repositories',
    answers: { 201: { description: 'What was loaded', json: schema.loaded } },
    fails: [...loadFails, ...writeFails],
    headers: writeHeaders,
  })
  async loadAnywhere(
    @Query({ schema: loadQuery }) query: z.infer<typeof loadQuery>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.#load(null, query, { request, reply });
  }

  @Post('repos/:repo/archives')
  @ApiConsumes('application/octet-stream', 'application/x-tar', 'application/gzip')
  @ApiBody(archiveBody)
  @Documented({
    summary: 'Load an image archive into one repository',
    params: ['repo'],
    answers: { 201: { description: 'What was loaded', json: schema.loaded } },
    fails: [...loadFails, ...writeFails],
    headers: writeHeaders,
  })
  async loadHere(
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Query({ schema: loadQuery }) query: z.infer<typeof loadQuery>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.#load(repo, query, { request, reply });
  }

  async #load(
    repo: RepositoryName | null,
    { moveTags, reason, platform }: z.infer<typeof loadQuery>,
    exchange: { readonly request: FastifyRequest; readonly reply: FastifyReply },
  ) {
    const { request } = exchange;
    if (!hasBody(request))
      throw new VarveError('ARCHIVE_INVALID', 'the request has no body; expected an image archive');
    const context = writeContext(exchange, { reason });
    const wish = {
      source: uploadedBytes(request),
      repo,
      moveTags: moveTags === 'true' || moveTags === '1',
      platform: platform === undefined ? null : parsePlatform(platform),
    };
    return renderLoad(await loadArchive(this.engine, wish, context));
  }
}
