import { VarveError } from '#core/error';
import type { ReflogRow } from '#core/graph-row';
import { limit } from '#core/limit';
import type { RefName, RepositoryName } from '#core/name';
import type { GraphReader } from '#ports/graph-store';
import { knownRepository } from './known-repository.js';
import { unknownRef } from './refs.js';

/** Moves, newest first. `before` asks for the next page; null when this was the last. */
export interface ReflogPage {
  readonly moves: readonly ReflogRow[];
  readonly before: number | null;
}

/**
 * The moves of one ref or of all, newest first, also of refs that are deleted now.
 * @throws REPOSITORY_UNKNOWN, REF_UNKNOWN for a ref that never was, LIMIT_EXCEEDED
 */
export async function readReflog(
  graph: GraphReader,
  repo: RepositoryName,
  page: { readonly ref?: RefName | undefined; readonly before?: number | undefined; readonly limit: number },
): Promise<ReflogPage> {
  await knownRepository(graph, repo);
  if (page.ref && !(await graph.ref(repo, page.ref))) throw await unknownRef(graph, repo, page.ref);
  if (page.limit > limit.pageMax) {
    throw new VarveError('LIMIT_EXCEEDED', `a page of ${page.limit} moves is over the limit of ${limit.pageMax}`);
  }
  const rows = await graph.reflog(repo, { ...page, limit: page.limit + 1 });
  const moves = rows.slice(0, page.limit);
  return { moves, before: rows.length > page.limit ? (moves.at(-1)?.version ?? null) : null };
}
