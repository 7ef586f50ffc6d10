import { Controller, Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { rootfsFormats } from '#core/job';
import type { RepositoryName } from '#core/name';
import { compressedRootfs, openRootfs, rootfsCommit, rootfsTag } from '../command/rootfs.js';
import { ENGINE, type Engine } from '../engine.js';
import { Documented } from './documented.js';
import * as schema from './job-schema.js';
import { addPosition } from './position-header.js';
import { byteHeaders, conditionsOf, rangeAnswers, sendRange, sendStream } from './ranged-bytes.js';
import { rootfsVariant } from './rootfs-variant.js';
import { sendDelivery } from './send-delivery.js';
import { RepositoryPipe } from './segment.pipe.js';
import { ReadEngine } from './read-engine.js';

const rootfsQuery = z.strictObject({
  format: z
    .enum(rootfsFormats)
    .default('tar')
    .describe('tar.gz and tar.zst are compressed while they are sent: no Content-Length, no ranges'),
  platform: z.string().optional().describe('OS/ARCHITECTURE[/VARIANT]: of an image for several platforms, this one'),
  delivery: z
    .enum(['stream', 'redirect'])
    .default('stream')
    .describe('redirect: to a stored file, of any format with its length and ranges; it is made first if need be'),
});

@ApiTags('checkout')
@Controller('api/v1/repos/:repo/commits/:rev/rootfs.tar')
export class RootfsController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get()
  @Documented({
    summary: 'The root filesystem of a commit as one canonical tar, any range of it',
    description:
      'Made while it is sent; nothing has to exist before. A client that accepts zstd as a Content-Encoding and asks for no range gets the tar so. Resume with Range and If-Range: an upgrade of the server that writes other bytes gives a fresh tar, never a splice. A failure midway cuts the connection before Content-Length is reached. With delivery=redirect the answer is 307 to a stored file with the same bytes, for an hour; while that is made, 202 with the job at Location: ask again, or follow its events. Prefer: wait=SECONDS says how long to wait for it (10 without it, 60 at most), Prefer: respond-async not to wait.',
    params: ['repo', 'rev'],
    answers: {
      ...rangeAnswers('application/x-tar', { 'Varve-Commit': 'The commit whose files these are' }),
      202: { description: 'With delivery=redirect: it is being made by the job at Location', json: schema.job },
      307: { description: 'With delivery=redirect: it is at Location, for an hour' },
    },
    fails: [
      'REPOSITORY_UNKNOWN',
      'REF_UNKNOWN',
      'COMMIT_UNKNOWN',
      'REVISION_AMBIGUOUS',
      'RANGE_INVALID',
      'LAYER_INVALID',
      'CORRUPT',
      'JOB_FAILED',
      'UNAVAILABLE',
    ],
    headers: { ...byteHeaders, Prefer: 'With delivery=redirect: wait=SECONDS or respond-async (RFC 7240)' },
  })
  async get(
    @ReadEngine() engine: Engine,
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Param('rev') rev: string,
    @Query({ schema: rootfsQuery }) { platform, format, delivery }: z.infer<typeof rootfsQuery>,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    const commit = await rootfsCommit(engine, repo, { rev, platform });
    await addPosition(engine, request, reply);
    if (delivery === 'redirect') return sendDelivery({ engine, request, reply }, commit, format);
    const variant = rootfsVariant(format, request.headers);
    const file = `${repo.replaceAll('/', '_')}-${commit.id.slice(0, 12)}.${format}`;
    const headers = {
      ...variant.headers,
      'content-disposition': `attachment; filename="${file}"`,
      'varve-commit': commit.id,
    };
    const etag = rootfsTag(commit, variant.tagSuffix);
    const open = () => openRootfs(engine, commit);
    const { compression } = variant;
    if (compression === null) await sendRange(reply, conditionsOf(request), { etag, headers, open });
    else
      await sendStream(reply, conditionsOf(request), {
        etag,
        headers,
        open: () => compressedRootfs(engine, commit, compression),
      });
  }
}
