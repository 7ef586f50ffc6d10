import { parseRepositoryName } from '#core/name';
import { RepoServiceService, type RepoServiceServer } from '#proto/gen/varve/v1/repo';
import { imageTree } from '#query/image-tree';
import { knownRepository } from '#query/known-repository';
import { usage } from '#query/usage';
import { createRepo } from '../command/create-repository.js';
import type { Engine } from '../engine.js';
import { renderNode, renderRepository } from '../rest/answer.js';
import { absent } from './absent.js';
import { pageOf } from './batch.js';
import { writeContextOf } from './call.js';
import type { Calls } from './calls.js';
import type { Served } from './served.js';

const repositoryBytes = 400;
const refBytes = 400;

export function repoService(engine: Engine, calls: Calls): Served {
  const server: RepoServiceServer = {
    listRepos: calls.stream(async function* (_asked, { engine: { graph } }) {
      const repositories = (await graph.repositories()).map(renderRepository);
      yield* pageOf(repositories, () => repositoryBytes, (some) => ({ repositories: some })); // prettier-ignore
    }),
    getRepo: calls.ask(async ({ repo }, { engine: { graph } }) => ({
      repository: renderRepository(await knownRepository(graph, parseRepositoryName(repo))),
    })),
    createRepo: calls.write(async (asked, call) => {
      const context = writeContextOf(call, { reason: asked.reason, asked });
      const wish = { repo: asked.repo, defaultBranch: asked.defaultBranch ?? 'main' };
      const { repository, ...written } = await createRepo(engine, wish, context);
      return { repository: renderRepository(repository), written };
    }),
    imageTree: calls.stream(async function* ({ repo }, { engine: { graph } }) {
      const repos =
        repo === undefined ? (await graph.repositories()).map((row) => row.repo) : [parseRepositoryName(repo)];
      if (repo !== undefined) await knownRepository(graph, parseRepositoryName(repo));
      const nodes = (await imageTree(graph, repos)).map((node) => absent(renderNode(node)));
      yield* pageOf(nodes, ({ places }) => 1_000 + places.length * refBytes, (some) => ({ nodes: some })); // prettier-ignore
    }),
    usage: calls.stream(async function* ({ repo }, { engine: { graph } }) {
      const { refs, ...total } = await usage(graph, parseRepositoryName(repo));
      for (const ref of refs) yield { line: { $case: 'ref' as const, value: ref } };
      yield { line: { $case: 'total' as const, value: total } };
    }),
  };
  return { definition: RepoServiceService, server };
}
