import type { Digest } from '#core/digest';
import { VarveError } from '#core/error';
import type { RepositoryName } from '#core/name';
import { streamBlob } from '#ports/read-blob';
import { knownRepository } from '#query/known-repository';
import type { Engine } from '../engine.js';
import type { OpenedBytes } from './rootfs.js';

/** What a blob of a repository is. @throws REPOSITORY_UNKNOWN, BLOB_UNKNOWN */
export async function blobMediaType({ graph }: Engine, repo: RepositoryName, digest: Digest): Promise<string> {
  await knownRepository(graph, repo);
  const row = await graph.blob(repo, digest);
  if (row) return row.mediaType;
  throw new VarveError('BLOB_UNKNOWN', `${repo} has no blob ${digest}`, { repository: repo, digest });
}

/** Its bytes as they came; whoever opens them closes them. @throws BLOB_UNKNOWN, UNAVAILABLE */
export async function openBlob(
  { layers }: Engine,
  repo: RepositoryName,
  digest: Digest,
): Promise<Required<OpenedBytes>> {
  const reader = await layers.openBlob(repo, digest);
  return { size: reader.size, read: (from, to) => streamBlob(reader, from, to), close: () => reader.close() };
}
