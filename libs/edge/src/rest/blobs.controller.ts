import { Controller, Get, Inject, Param, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Digest } from '#core/digest';
import type { RepositoryName } from '#core/name';
import { blobMediaType, openBlob } from '../command/blob.js';
import { ENGINE, type Engine } from '../engine.js';
import { Documented } from './documented.js';
import { addPosition } from './position-header.js';
import { byteHeaders, conditionsOf, rangeAnswers, sendRange } from './ranged-bytes.js';
import { DigestPipe, RepositoryPipe } from './segment.pipe.js';
import { ReadEngine } from './read-engine.js';

@ApiTags('blobs')
@Controller('api/v1/repos/:repo/blobs/:digest')
export class BlobsController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get()
  @Documented({
    summary: 'A stored blob, byte for byte as it came, any range of it',
    params: ['repo', 'digest'],
    answers: rangeAnswers('application/octet-stream'),
    fails: ['REPOSITORY_UNKNOWN', 'DIGEST_INVALID', 'BLOB_UNKNOWN', 'RANGE_INVALID'],
    headers: byteHeaders,
  })
  async get(
    @ReadEngine() engine: Engine,
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Param('digest', DigestPipe) digest: Digest,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    const mediaType = await blobMediaType(engine, repo, digest);
    await addPosition(engine, request, reply);
    await sendRange(reply, conditionsOf(request), {
      etag: `"${digest}"`,
      headers: { 'content-type': mediaType },
      open: () => openBlob(engine, repo, digest),
    });
  }
}
