import { genesis } from '#core/commit';
import type { RefName, RepositoryName } from '#core/name';
import type { Submitter } from './submitter.js';
import type { WriteContext, Written } from './write.js';

/**
 * Makes a repository, its genesis commit and its default branch, in one record: all three or none.
 * @throws REPOSITORY_EXISTS, and what `Submitter.submit` throws
 */
export async function createRepository(
  { submitter }: { readonly submitter: Submitter },
  { repo, defaultBranch }: { readonly repo: RepositoryName; readonly defaultBranch: RefName },
  context: WriteContext,
): Promise<Written> {
  const branch = { ref: defaultBranch, expect: { commit: null, version: 0 }, to: genesis.id, mode: 'ff' } as const;
  return submitter.submit(
    {
      type: 'repo.create.v1',
      repo,
      defaultBranch,
      operation: 'init',
      commits: [genesis],
      blobs: [],
      updates: [branch],
    },
    context,
  );
}
