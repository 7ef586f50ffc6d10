import { isNamedCopy } from '#core/graph-row';
import { limit } from '#core/limit';
import type { StoredBlob } from '#ports/blob-store';
import type { GraphReader } from '#ports/graph-store';
import { checkShows, type Ends } from './caught-up.js';
import type { CollectOptions, CollectStores } from './collect-options.js';
import { copiesIn, nameOf } from './copies-in.js';
import type { Tally } from './copy-amount.js';
import { checkWanted } from './wanted.js';

/** What the store holds and has held long enough, as many at a time as one fence takes. */
export async function* oldCopies(
  { blobs, clock }: Pick<CollectStores, 'blobs' | 'clock'>,
  { graceMs, signal }: CollectOptions,
  tally: Tally,
): AsyncGenerator<readonly StoredBlob[]> {
  // Without grace every copy is old enough, whatever the store's clock says.
  const storedBefore = graceMs === 0 ? Infinity : clock.now() - graceMs;
  let page: StoredBlob[] = [];
  for await (const copy of blobs.blobs()) {
    checkWanted(signal);
    tally.stored.add([copy]);
    if (copy.modifiedAt > storedBefore) continue;
    page.push(copy);
    if (page.length < limit.fenceCopiesMax) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

/** Those that no partition knows by a proposal that was accepted. @throws UNAVAILABLE when the graph has gone back */
export async function unnamedOf(graph: GraphReader, copies: readonly StoredBlob[], ends: Ends): Promise<StoredBlob[]> {
  const named = new Set<string>();
  for (let partition = 0; partition < graph.partitionCount; partition += 1) {
    for (const row of await copiesIn(graph, partition, copies)) if (isNamedCopy(row)) named.add(nameOf(row));
    await checkShows(graph, partition, ends);
  }
  return copies.filter((copy) => !named.has(nameOf(copy)));
}
