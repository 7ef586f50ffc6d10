import type { BlobAddress } from '#ports/blob-store';
import type { GraphReader } from '#ports/graph-store';
import { limit } from '#core/limit';
import type { CollectStores } from './collect.js';
import type { Recorder } from './recorder.js';

/**
 * Lets each partition forget the retired copies that no proposal can name any more, because it would be stale, once it
 * is sure that the store does not hold them. Returns how many rows. A run that crashed after it had deleted something is made up for here: what
 * is retired stands in the graph. @see event-log 1.6 rule 13
 */
export async function forgetSwept(
  { graph, blobs }: Pick<CollectStores, 'graph' | 'blobs'>,
  recorder: Recorder,
): Promise<number> {
  let forgotten = 0;
  for (let partition = 0; partition < graph.partitionCount; partition += 1) {
    for await (const page of dueCopies(graph, partition)) {
      const gone: BlobAddress[] = [];
      for (const copy of page) if ((await blobs.stat(copy)) === undefined) gone.push(copy);
      if (gone.length > 0) await recorder.sweptFrom(partition, gone);
      forgotten += gone.length;
    }
  }
  return forgotten;
}

async function* dueCopies(graph: GraphReader, partition: number): AsyncGenerator<readonly BlobAddress[]> {
  const { gcEpoch } = (await graph.checkpoint(partition)).partition;
  for (let after: BlobAddress | undefined; ;) {
    const page = await graph.retiredCopies(partition, { after, limit: limit.fenceCopiesMax });
    const due = page.filter(({ retiredEpoch }) => retiredEpoch !== null && retiredEpoch + 2 <= gcEpoch);
    if (due.length > 0) yield due;
    if (page.length < limit.fenceCopiesMax) return;
    after = page.at(-1);
  }
}
