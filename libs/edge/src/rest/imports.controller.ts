import { Controller, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { VarveError } from '#core/error';
import { parsePlatform } from '#core/manifest';
import { branchRef, type RepositoryName, tagRef } from '#core/name';
import { importRootfs } from '#history/import-rootfs';
import { ENGINE, type Engine } from '../engine.js';
import { renderLoad } from './answer.js';
import { Documented, writeFails, writeHeaders } from './documented.js';
import * as schema from './schema.js';
import { RepositoryPipe } from './segment.pipe.js';
import { hasBody, uploadedBytes } from './upload.js';
import { writeContext } from './write-request.js';

const importQuery = z.strictObject({
  tag: z.string().optional().describe('The tag to make; without one the branch main moves'),
  change: z
    .union([z.string(), z.array(z.string())])
    .default([])
    .describe('A Dockerfile instruction for the config, as CMD ["/bin/sh"]; may be given again'),
  message: z.string().default(''),
  author: z.string().default(''),
  time: z.string().optional().describe('RFC 3339; without one the image says no time'),
  platform: z.string().default('linux/amd64').describe('OS/ARCHITECTURE[/VARIANT] that the config says'),
  moveTags: z.enum(['true', 'false', '1', '0']).default('false').describe('Move a tag that points elsewhere'),
  reason: z.string().default(''),
});
const imported = schema.loaded.extend({ config: z.string().describe('The digest of the config that was made') });

@ApiTags('archives')
@Controller('api/v1/repos/:repo/imports')
export class ImportsController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Post()
  @ApiConsumes('application/octet-stream', 'application/x-tar', 'application/gzip', 'application/zstd')
  @ApiBody({ description: 'The files of a root filesystem as a tar; plain, gzip or zstd', schema: { type: 'string', format: 'binary' } }) // prettier-ignore
  @Documented({
    summary: 'Take a root filesystem in as an image of one layer',
    params: ['repo'],
    answers: { 201: { description: 'What was made', json: imported } },
    fails: ['LAYER_INVALID', 'TAG_IMMUTABLE', 'NOT_FAST_FORWARD', 'REF_STALE', 'LIMIT_EXCEEDED', ...writeFails],
    headers: writeHeaders,
  })
  async import(
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Query({ schema: importQuery }) query: z.infer<typeof importQuery>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    if (!hasBody(request)) throw new VarveError('LAYER_INVALID', 'the request has no body; expected a tar');
    const { tag, change, message, author, time, platform, moveTags, reason } = query;
    const wish = {
      source: uploadedBytes(request),
      repo,
      ref: tag === undefined ? branchRef('main') : tagRef(tag),
      moveTags: moveTags === 'true' || moveTags === '1',
      changes: typeof change === 'string' ? [change] : change,
      message,
      author,
      time: time ?? null,
      platform: parsePlatform(platform),
    };
    const { config, ...report } = await importRootfs(this.engine, wish, writeContext({ request, reply }, { reason }));
    return { ...renderLoad(report), config };
  }
}
