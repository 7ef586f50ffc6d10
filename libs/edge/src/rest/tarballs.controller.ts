import { Controller, Get, Inject, Param, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { knownTarball, urlOf } from '../command/deliver-tarball.js';
import { openTarball } from '../command/open-tarball.js';
import { ENGINE, type Engine } from '../engine.js';
import { Documented } from './documented.js';
import { byteHeaders, conditionsOf, rangeAnswers, sendRange } from './ranged-bytes.js';
import { sendHeaders } from './send-bytes.js';
import { redirectHeaders, tarballHeaders } from './tarball-headers.js';

const tarballAnswer = { 'Repr-Digest': 'sha-256 of the whole file' };
const redirectAnswer = { Location: 'Where the bytes are', ...tarballAnswer };

@ApiTags('checkout')
@Controller('api/v1/tarballs/:tarball')
export class TarballsController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get()
  @Documented({
    summary: 'A tarball that lies ready, any range of it',
    description:
      'Of any format with its length, for it is a stored file; where the store presigns, a redirect to it. Nothing is made: ask for it at rootfs.tar with delivery=redirect.',
    params: ['tarball'],
    answers: {
      ...rangeAnswers('application/x-tar', tarballAnswer),
      307: { description: 'It is at Location, for an hour', headers: redirectAnswer },
    },
    fails: ['BLOB_UNKNOWN', 'RANGE_INVALID', 'UNAVAILABLE'],
    headers: byteHeaders,
  })
  async get(@Param('tarball') name: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    const { blobs } = this.engine;
    const tarball = await knownTarball(this.engine, name);
    if (blobs.presign) {
      const url = await urlOf(this.engine, tarball);
      if (url !== undefined) return sendHeaders(reply, 307, redirectHeaders(tarball, url));
    }
    const open = () => openTarball(this.engine, tarball);
    return sendRange(reply, conditionsOf(request), { etag: `"${name}"`, headers: tarballHeaders(tarball), open });
  }
}
