import type { Digest } from '#core/digest';
import type { BlobRow } from '#core/graph-row';
import { limit } from '#core/limit';
import type { BlobAddress } from '#ports/blob-store';
import type { GraphReader } from '#ports/graph-store';

/** What a partition knows of the blobs that these are copies of, asked for in pages. */
export async function copiesIn(
  graph: GraphReader,
  partition: number,
  copies: readonly BlobAddress[],
): Promise<readonly BlobRow[]> {
  const digests: Digest[] = [...new Set(copies.map(({ digest }) => digest))];
  const found: BlobRow[] = [];
  for (let from = 0; from < digests.length; from += limit.pageMax) {
    found.push(...(await graph.copies(partition, digests.slice(from, from + limit.pageMax))));
  }
  return found;
}

/** One text for one copy. */
export function nameOf({ digest, incarnation }: BlobAddress): string {
  return `${digest} ${incarnation}`;
}
