import { hash } from 'node:crypto';
import type { RepositoryName } from './name.js';

/** The partition that orders everything of one repository. Ours to compute: no client's default may move it. @see event-log 1.4 */
export function partitionOf(repo: RepositoryName, partitionCount: number): number {
  return partitionCount === 1 ? 0 : hash('sha256', repo, 'buffer').readUInt32BE(0) % partitionCount;
}

/** One repository of each partition that has any: together they are asked about everything that is kept by partition. */
export function oneOfEachPartition(repos: Iterable<RepositoryName>, partitionCount: number): RepositoryName[] {
  const byPartition = new Map<number, RepositoryName>();
  for (const repo of repos) byPartition.set(partitionOf(repo, partitionCount), repo);
  return [...byPartition.values()];
}
