import { branchRef, parseRepositoryName } from '#core/name';
import { formatPosition } from '#core/position';
import { createRepository } from '#history/create-repository';
import type { WriteContext } from '#history/write';
import { knownRepository } from '#query/known-repository';
import type { Engine } from '../engine.js';

/** Makes a repository with its genesis commit and its default branch. @throws NAME_INVALID, REPOSITORY_EXISTS */
export async function createRepo(
  engine: Engine,
  asked: { readonly repo: string; readonly defaultBranch: string },
  context: WriteContext,
) {
  const repo = parseRepositoryName(asked.repo);
  const wish = { repo, defaultBranch: branchRef(asked.defaultBranch) };
  const { position, replayed } = await createRepository(engine, wish, context);
  return { repository: await knownRepository(engine.graph, repo), position: formatPosition(position), replayed };
}
