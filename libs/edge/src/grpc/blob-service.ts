import { parseDigest } from '#core/digest';
import { parseRepositoryName } from '#core/name';
import {
  BlobServiceService,
  type BlobServiceServer,
  type ReadBlobRequest,
  type ReadBlobResponse,
} from '#proto/gen/varve/v1/blob';
import { blobMediaType, openBlob } from '../command/blob.js';
import type { Engine } from '../engine.js';
import type { Calls } from './calls.js';
import { contentMessages } from './content.js';
import type { Served } from './served.js';

export function blobService(calls: Calls): Served {
  const server: BlobServiceServer = { readBlob: calls.stream((asked, { engine }) => readBlob(engine, asked)) };
  return { definition: BlobServiceService, server };
}

async function* readBlob(engine: Engine, asked: ReadBlobRequest): AsyncGenerator<ReadBlobResponse> {
  const [repo, digest] = [parseRepositoryName(asked.repo), parseDigest(asked.digest)];
  const mediaType = await blobMediaType(engine, repo, digest);
  const bytes = { etag: `"${digest}"`, open: () => openBlob(engine, repo, digest) };
  for await (const { head, chunk } of contentMessages(bytes, asked.part)) {
    if (head) yield { part: { $case: 'head', value: { mediaType, content: head } } };
    else yield { part: { $case: 'chunk', value: chunk } };
  }
}
