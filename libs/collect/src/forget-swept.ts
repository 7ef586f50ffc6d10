import type { BlobRow } from '#core/graph-row';
import type { BlobAddress } from '#ports/blob-store';
import type { GraphReader } from '#ports/graph-store';
import { limit } from '#core/limit';
import type { CollectStores } from './collect-options.js';
import type { Recorder } from './recorder.js';

/**
 * Lets each partition forget the deleted copies that no proposal can name any more, because it would be stale: two
 * fences after it was told that they are gone. Returns how many rows. A run that crashed after it had deleted something
 * is made up for here: what is retired stands in the graph, and is told to be gone when the store does not hold it.
 * @see event-log 1.6 rule 13
 */
export async function forgetSwept(
  { graph, blobs }: Pick<CollectStores, 'graph' | 'blobs'>,
  recorder: Recorder,
): Promise<number> {
  let forgotten = 0;
  for (let partition = 0; partition < graph.partitionCount; partition += 1) {
    for await (const page of dueCopies(graph, partition)) {
      const gone: BlobRow[] = [];
      for (const copy of page) if ((await blobs.stat(copy)) === undefined) gone.push(copy);
      if (gone.length > 0) await recorder.sweptFrom(partition, gone);
      forgotten += gone.filter(({ sweptEpoch }) => sweptEpoch !== null).length;
    }
  }
  return forgotten;
}

async function* dueCopies(graph: GraphReader, partition: number): AsyncGenerator<readonly BlobRow[]> {
  const { gcEpoch } = (await graph.checkpoint(partition)).partition;
  for (let after: BlobAddress | undefined; ;) {
    const page = await graph.retiredCopies(partition, { after, limit: limit.fenceCopiesMax });
    const due = page.filter(({ sweptEpoch }) => sweptEpoch === null || sweptEpoch + 2 <= gcEpoch);
    if (due.length > 0) yield due;
    if (page.length < limit.fenceCopiesMax) return;
    after = page.at(-1);
  }
}
