import { Controller, Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { limit } from '#core/limit';
import type { RepositoryName } from '#core/name';
import { readFile } from '#query/cat';
import { find, type FindQuestion, type Found } from '#query/find';
import { listTree } from '#query/ls';
import { ENGINE, type Engine } from '../engine.js';
import { Documented } from './documented.js';
import { pathOf } from './path-query.js';
import { addPosition } from './position-header.js';
import * as schema from './question-schema.js';
import { byteHeaders, conditionsOf, rangeAnswers, sendRange } from './ranged-bytes.js';
import { renderEntry } from './render-entry.js';
import { RepositoryPipe } from './segment.pipe.js';
import { lineAnswers, sendLines } from './send-lines.js';
import { ReadEngine } from './read-engine.js';

const listQuery = z.strictObject({
  ...schema.pathQuery,
  recursive: schema.flag.describe('Everything below, not only what stands in the directory'),
  limit: z.coerce.number().int().min(1).max(limit.treePageMax).default(limit.pageMax),
  cursor: z.string().optional().describe('Of the page before; the revision is not looked at again'),
});
const contentQuery = z.strictObject(schema.pathQuery);
const bytes = z.coerce.number().int().min(0);
const findQuery = z.strictObject({
  rev: z.string().default('HEAD').describe('A revision'),
  ...schema.pathQuery,
  name: z.string().optional().describe('A glob for the name: * ? [a-z] [!a-z]'),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{4,64}$/)
    .optional()
    .describe('The first hex digits, four or more'),
  sizeMin: bytes.optional(),
  sizeMax: bytes.optional(),
  setuid: schema.flag.describe('Files with the setuid or setgid bit'),
  type: z.enum(['file', 'directory', 'symlink', 'char', 'block', 'fifo']).optional(),
});
const treeFails = [
  'REPOSITORY_UNKNOWN',
  'REF_UNKNOWN',
  'COMMIT_UNKNOWN',
  'REVISION_AMBIGUOUS',
  'PATH_UNKNOWN',
  'LIMIT_EXCEEDED',
  'CORRUPT',
] as const;

@ApiTags('files')
@Controller('api/v1/repos/:repo')
export class TreeController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get('tree/:rev')
  @Documented({
    summary: "What stands in a directory of a commit's union tree",
    description: 'In the order of the canonical tar. Answered by indexes: no layer is read.',
    params: ['repo', 'rev'],
    answers: { 200: { description: 'One page', json: schema.treeListing } },
    fails: [...treeFails],
  })
  async list(
    @ReadEngine() engine: Engine,
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Param('rev') revision: string,
    @Query({ schema: listQuery }) query: z.infer<typeof listQuery>,
  ): Promise<z.infer<typeof schema.treeListing>> {
    const { cursor, limit: pageSize } = query;
    const recursive = schema.isSet(query.recursive);
    const question = { revision, path: pathOf(query), recursive, cursor, limit: pageSize };
    const { commit, warning, entries, cursor: next } = await listTree(engine, repo, question);
    return { commit: commit.id, warning, entries: entries.map(renderEntry), cursor: next };
  }

  @Get('tree/:rev/content')
  @Documented({
    summary: 'The content of a file of a commit, any range of it; of a symlink its target',
    description:
      'Opens the one layer that holds it. All of it is held against the sha256 in the index before its last bytes are sent: what does not fit is CORRUPT, or cuts the connection. A range cannot be checked so.',
    params: ['repo', 'rev'],
    answers: rangeAnswers('application/octet-stream', {
      'Varve-Commit': 'The commit that the revision means',
      'Varve-Entry-Type': 'file or symlink',
    }),
    fails: [...treeFails, 'RANGE_INVALID'],
    headers: byteHeaders,
  })
  async content(
    @ReadEngine() engine: Engine,
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Param('rev') revision: string,
    @Query({ schema: contentQuery }) query: z.infer<typeof contentQuery>,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    const file = await readFile(engine, repo, { revision, path: pathOf(query) });
    await addPosition(engine, request, reply);
    await sendRange(reply, conditionsOf(request), {
      etag: `"${file.tag}"`,
      headers: {
        'content-type': 'application/octet-stream',
        'x-content-type-options': 'nosniff',
        'varve-commit': file.commit.id,
        'varve-entry-type': file.entry.type,
      },
      open: async () => ({ size: file.sizeBytes, read: file.read }),
    });
  }

  @Get('find')
  @Documented({
    summary: "Entries of a commit's union tree by name, content, size, type or setuid, as they are found",
    params: ['repo'],
    answers: lineAnswers('Lines of JSON: head, entry…, summary.'),
    fails: [...treeFails],
  })
  async find(
    @ReadEngine() engine: Engine,
    @Param('repo', RepositoryPipe) repo: RepositoryName,
    @Query({ schema: findQuery }) query: z.infer<typeof findQuery>,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    const found = await find(engine, repo, questionOf(query));
    await sendLines(engine, { request, reply }, linesOf(found));
  }
}

function questionOf(query: z.infer<typeof findQuery>): FindQuestion {
  const { rev: revision, name = null, sha256 = null, sizeMin = null, sizeMax = null, type = null } = query;
  return { revision, path: pathOf(query), name, sha256, sizeMin, sizeMax, type, setuid: schema.isSet(query.setuid) };
}

async function* linesOf({ commit, warning, entries }: Found): AsyncGenerator<z.infer<typeof schema.foundLine>> {
  yield { type: 'head', commit: commit.id, warning };
  let count = 0;
  for await (const entry of entries()) {
    count++;
    yield { type: 'entry', entry: renderEntry(entry) };
  }
  yield { type: 'summary', entries: count };
}
