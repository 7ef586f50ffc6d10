import { Controller, Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { RepositoryName } from '#core/name';
import { knownLayer } from '#query/known-layer';
import { lintsOf } from '#query/lints';
import { readLayerTar, showLayer } from '#query/layer-content';
import { layerEntries } from '#query/layer-entry';
import { readLayerFile } from '#query/layer-file';
import { ENGINE, type Engine } from '../engine.js';
import { Documented } from './documented.js';
import { pathOf } from './path-query.js';
import { addPosition } from './position-header.js';
import * as schema from './question-schema.js';
import { byteHeaders, conditionsOf, rangeAnswers, sendRange } from './ranged-bytes.js';
import { renderLayer, renderLayerEntry, renderLints } from './render-entry.js';
import { RepositoryPipe } from './segment.pipe.js';
import { lineAnswers, sendLines } from './send-lines.js';
import { ReadEngine } from './read-engine.js';

const contentQuery = z.strictObject(schema.pathQuery);
const layerFails = ['REPOSITORY_UNKNOWN', 'BLOB_UNKNOWN', 'REVISION_AMBIGUOUS', 'CORRUPT'] as const;

@ApiTags('files')
@Controller('api/v1/repos/:repo')
export class LayersController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get('layers/:layer')
  @Documented({
    summary: 'One layer alone: how it is stored, and what its index says',
    params: ['repo', 'layer'],
    answers: { 200: { description: 'It', json: schema.shownLayer } },
    fails: [...layerFails],
  })
  async show(
    @ReadEngine() engine: Engine,
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Param('layer') text: string,
  ) {
    return renderLayer(await showLayer(engine, repo, await knownLayer(engine.graph, repo, text)));
  }

  @Get('layers/:layer/entries')
  @Documented({
    summary: 'The entries of a layer in the order of its tar, whiteouts too',
    params: ['repo', 'layer'],
    answers: lineAnswers('Lines of JSON: head, entry…, summary.'),
    fails: [...layerFails],
  })
  async entries(
    @ReadEngine() engine: Engine,
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Param('layer') text: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    const { diffId } = await knownLayer(engine.graph, repo, text);
    const index = await engine.layers.index(repo, diffId);
    const lines = async function* (): AsyncGenerator<z.infer<typeof schema.layerLine>> {
      yield { type: 'head', diffId };
      for (const entry of layerEntries(index)) yield { type: 'entry', entry: renderLayerEntry(entry) };
      yield { type: 'summary', entries: index.entries.count };
    };
    await sendLines(engine, { request, reply }, lines());
  }

  @Get('layers/:layer/content')
  @Documented({
    summary: 'The content that a layer alone has at a path, any range of it',
    description: 'Of the last entry with the path; of a hardlink what it links to; of a symlink its target.',
    params: ['repo', 'layer'],
    answers: rangeAnswers('application/octet-stream', { 'Varve-Entry-Type': 'file or symlink' }),
    fails: [...layerFails, 'PATH_UNKNOWN', 'RANGE_INVALID'],
    headers: byteHeaders,
  })
  async content(
    @ReadEngine() engine: Engine,
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Param('layer') text: string,
    @Query({ schema: contentQuery }) query: z.infer<typeof contentQuery>,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    const layer = await knownLayer(engine.graph, repo, text);
    const file = await readLayerFile(engine, repo, { layer, path: pathOf(query) });
    await addPosition(engine, request, reply);
    await sendRange(reply, conditionsOf(request), {
      etag: `"${file.tag}"`,
      headers: {
        'content-type': 'application/octet-stream',
        'x-content-type-options': 'nosniff',
        'varve-entry-type': file.entry.type,
      },
      open: async () => ({ size: file.sizeBytes, read: file.read }),
    });
  }

  @Get('layers/:layer/tar')
  @Documented({
    summary: 'The exact uncompressed tar of a layer, any range of it',
    description:
      'All of it is held against the diffID before its last bytes are sent: what does not fit is CORRUPT, or cuts the connection. A range cannot be checked so.',
    params: ['repo', 'layer'],
    answers: rangeAnswers('application/x-tar'),
    fails: [...layerFails, 'RANGE_INVALID'],
    headers: byteHeaders,
  })
  async tar(
    @ReadEngine() engine: Engine,
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Param('layer') text: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    const layer = await knownLayer(engine.graph, repo, text);
    await addPosition(engine, request, reply);
    await sendRange(reply, conditionsOf(request), {
      etag: `"${layer.diffId}"`,
      headers: { 'content-type': 'application/x-tar' },
      open: async () => ({
        size: layer.tarBytes,
        read: (from: number, to: number) => readLayerTar(engine, repo, { layer, from, to }),
      }),
    });
  }

  @Get('commits/:rev/lints')
  @Documented({
    summary: "What of a commit's own layers is allowed and may surprise someone",
    params: ['repo', 'rev'],
    answers: {
      200: { description: 'Its layers, oldest first, and what they do to those below', json: schema.lintsOfCommit },
    },
    fails: ['REPOSITORY_UNKNOWN', 'REF_UNKNOWN', 'COMMIT_UNKNOWN', 'REVISION_AMBIGUOUS', 'CORRUPT'],
  })
  async lints(
    @ReadEngine() engine: Engine,
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Param('rev') revision: string,
  ): Promise<z.infer<typeof schema.lintsOfCommit>> {
    const { commit, layers, union } = await lintsOf(engine, repo, revision);
    return { commit: commit.id, layers: layers.map(renderLayer), union: renderLints(union) };
  }
}
