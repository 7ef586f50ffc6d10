import { VarveError } from '#core/error';
import type { RefName, RepositoryName } from '#core/name';
import type { RefValue } from '#core/ref';
import type { GraphReader } from '#ports/graph-store';

/** What an update of the ref must expect now; a ref that is not there has a value too. @throws REPOSITORY_UNKNOWN */
export async function readRef(graph: GraphReader, repo: RepositoryName, ref: RefName): Promise<RefValue> {
  const [repository, value] = await Promise.all([graph.repository(repo), graph.ref(repo, ref)]);
  if (!repository) throw new VarveError('REPOSITORY_UNKNOWN', `there is no repository ${repo}`, { repository: repo });
  return value ?? { commit: null, version: repository.floor };
}
