import type { RepositoryName } from '#core/name';
import { type ExistingRef, listRefs } from '#query/refs';
import { refsContaining } from '#query/refs-containing';
import { resolve } from '#query/resolve';
import type { Engine } from '../engine.js';

/** The branches and tags by name; with `contains`, those from which the commit of that revision can be reached. */
export async function refsOf(
  engine: Engine,
  repo: RepositoryName,
  contains: string | undefined,
): Promise<readonly ExistingRef[]> {
  if (contains === undefined) return listRefs(engine.graph, repo);
  const { commit } = await resolve(engine, repo, contains);
  return refsContaining(engine.graph, commit);
}
