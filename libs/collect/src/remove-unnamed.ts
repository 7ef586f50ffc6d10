import { isNamedCopy } from '#core/graph-row';
import type { BlobAddress, StoredBlob } from '#ports/blob-store';
import type { GraphReader } from '#ports/graph-store';
import type { CollectStores } from './collect-options.js';
import { copiesIn, nameOf } from './copies-in.js';
import type { Tally } from './copy-amount.js';
import type { Recorder } from './recorder.js';
import { checkWanted } from './wanted.js';

/** So many are deleted at a time. */
const deletesMax = 16;

/**
 * One round: the fence, the second look, the deletions, and the record of them. @see event-log 6.2 steps 2 to 4
 */
export async function removeUnnamed(
  { graph, blobs }: Pick<CollectStores, 'graph' | 'blobs'>,
  recorder: Recorder,
  { candidates, tally }: { readonly candidates: readonly StoredBlob[]; readonly tally: Tally },
): Promise<void> {
  await recorder.fence(candidates);
  const outOfReach = await retiredEverywhere(graph, candidates);
  const removed = candidates.filter((copy) => outOfReach.has(nameOf(copy)));
  tally.kept.add(candidates.filter((copy) => !outOfReach.has(nameOf(copy))));
  for (let from = 0; from < removed.length; from += deletesMax) {
    checkWanted(recorder.signal);
    const some = removed.slice(from, from + deletesMax);
    await Promise.all(some.map((copy) => blobs.delete(copy)));
    tally.remove(some);
  }
  if (removed.length > 0) await recorder.swept(removed);
}

/**
 * The copies that every partition shows as retired and never named. Such a row proves itself: whatever state of the
 * partition it was read from, nothing can name the copy after it. So a graph that went back since the fence passed, and
 * shows no row, or one that is not retired, keeps the copy until the next run.
 */
async function retiredEverywhere(graph: GraphReader, candidates: readonly BlobAddress[]): Promise<ReadonlySet<string>> {
  let outOfReach = candidates.map(nameOf);
  for (let partition = 0; partition < graph.partitionCount; partition += 1) {
    const rows = await copiesIn(graph, partition, candidates);
    const retired = new Set(rows.filter((row) => row.retiredEpoch !== null && !isNamedCopy(row)).map(nameOf));
    outOfReach = outOfReach.filter((name) => retired.has(name));
  }
  return new Set(outOfReach);
}
