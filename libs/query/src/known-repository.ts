import { VarveError } from '#core/error';
import type { RepositoryRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import type { GraphReader } from '#ports/graph-store';
import { similarNames } from './similar-names.js';

/** The repository's row. @throws REPOSITORY_UNKNOWN with names that are spelled alike */
export async function knownRepository(graph: GraphReader, repo: RepositoryName): Promise<RepositoryRow> {
  const row = await graph.repository(repo);
  if (row) return row;
  const names = (await graph.repositories()).map((known) => known.repo);
  throw new VarveError('REPOSITORY_UNKNOWN', `there is no repository "${repo}"`, {
    repository: repo,
    suggestions: similarNames(repo, names),
  });
}
