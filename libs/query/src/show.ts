import type { Digest } from '#core/digest';
import { VarveError } from '#core/error';
import { limit } from '#core/limit';
import type { RepositoryName } from '#core/name';
import type { BlobReader } from '#ports/blob-store';
import { readBlob } from '#ports/read-blob';
import type { Placed } from './await-position.js';
import { type PlacedCommit, readCommit } from './read-commit.js';
import { refsByCommit } from './refs.js';
import { resolve } from './resolve.js';

/** A commit in full: with its image configuration as JSON (null when it has none), and what resolving it had to say. */
export interface ShownCommit extends PlacedCommit {
  readonly configuration: unknown;
  readonly warning: string | null;
}

/** Opens stored blobs of a repository. */
export interface BlobOpener {
  openBlob(repo: RepositoryName, digest: Digest): Promise<BlobReader>;
}

/** @throws what `resolve` throws; BLOB_UNKNOWN or CORRUPT when the configuration is lost or damaged */
export async function show(
  { graph, log, layers }: Placed & { readonly layers: BlobOpener },
  repo: RepositoryName,
  revision: string,
): Promise<ShownCommit> {
  const { commit: row, warning } = await resolve({ graph, log }, repo, revision);
  const commit = await readCommit(graph, row);
  const refs = (await refsByCommit(graph, repo)).get(row.id) ?? [];
  return {
    row,
    commit,
    refs,
    warning,
    configuration: commit.config && (await readConfig(layers, repo, commit.config)),
  };
}

export async function readConfig(layers: BlobOpener, repo: RepositoryName, digest: Digest): Promise<unknown> {
  const reader = await layers.openBlob(repo, digest);
  try {
    if (reader.size > limit.documentBytesMax) {
      throw new VarveError(
        'LIMIT_EXCEEDED',
        `config ${digest} of ${reader.size} bytes is over ${limit.documentBytesMax}`,
      );
    }
    return JSON.parse((await readBlob(reader)).toString()) as unknown;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new VarveError('CORRUPT', `config ${digest} is not JSON any more`, { digest }, { cause });
  } finally {
    await reader.close();
  }
}
