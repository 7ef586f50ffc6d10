import type { DiffId } from '#core/digest';
import type { RepositoryName } from '#core/name';
import { checkDerived, type DerivedScope } from '#query/fsck-derived';
import type { FsckStep } from '#query/fsck-finding';
import { isSparse } from '#tar/layer-entries';
import type { Engine } from '../engine.js';
import { provenancesOf } from './provenances.js';

/** `repositories`: one of each partition, which know every layer that any record has named. */
export function derivedSteps(
  engine: Engine,
  { repositories, ...scope }: DerivedScope & { readonly repositories: readonly RepositoryName[] },
): AsyncGenerator<FsckStep> {
  const { graph, blobs, layers, jobs } = engine;
  const sources = {
    blobs,
    provenances: provenancesOf(engine, { now: () => Date.now() }),
    tarballs: () => jobs.tarballs(),
    async isSparse(diffId: DiffId, entry: number): Promise<boolean> {
      for (const repo of repositories) {
        if (!(await graph.layer(repo, diffId))) continue;
        return isSparse((await layers.index(repo, diffId)).entries, entry);
      }
      return false;
    },
  };
  return checkDerived(sources, scope);
}
