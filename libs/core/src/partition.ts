import { hash } from 'node:crypto';
import type { RepositoryName } from './name.js';

/** The partition that orders everything of one repository. Ours to compute: no client's default may move it. @see event-log 1.4 */
export function partitionOf(repo: RepositoryName, partitionCount: number): number {
  return partitionCount === 1 ? 0 : hash('sha256', repo, 'buffer').readUInt32BE(0) % partitionCount;
}
