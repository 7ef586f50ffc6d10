import type { StoredBlob } from '#ports/blob-store';
import type { GraphReader } from '#ports/graph-store';
import { caughtUp } from './caught-up.js';
import { oldCopies, unnamedOf } from './candidates.js';
import type { CollectOptions, CollectStores } from './collect-options.js';
import { type CopyAmount, Tally } from './copy-amount.js';
import { Recorder } from './recorder.js';
import { forgetSwept } from './forget-swept.js';
import { removeUnnamed } from './remove-unnamed.js';

/** What a run did, or would do. Bytes are those of the stored copies. */
export interface CollectReport {
  readonly dryRun: boolean;
  /** Names the run in its records; null when nothing was appended. */
  readonly gcId: string | null;
  /** The last fence of each partition when the run was over. */
  readonly epochs: readonly number[];
  /** What the store held when it was listed. */
  readonly stored: CopyAmount;
  /** Old enough, and named by nothing when it was listed. */
  readonly candidates: CopyAmount;
  /** Candidates that were not removed: a proposal that the fence came after has named them. */
  readonly kept: CopyAmount;
  readonly removed: CopyAmount;
  /** Copies that the graph need not remember any more. */
  readonly forgotten: number;
  /** The first `limit.collectListMax` of the removed. */
  readonly copies: readonly StoredBlob[];
}

/**
 * Removes the copies of blobs that nothing in any partition names: lists the store anew, raises a fence in every
 * partition, which takes them out of reach of every later proposal, looks again, deletes what still nothing names, and
 * says so in the log. A run without candidates raises a fence too: fences make late proposals stale. Ending at any
 * step, by whatever, leaves garbage and nothing else; the next run takes it.
 * @throws OUTCOME_UNKNOWN (a record was not judged in time: the projection is away), UNAVAILABLE (or the graph is behind), CANCELLED,
 *   STORAGE_FULL, RECORD_INVALID (a partition has no rules yet)
 * @see event-log 6.2, 1.6 rules 12 to 14
 */
export async function collect(stores: CollectStores, options: CollectOptions): Promise<CollectReport> {
  const { graph } = stores;
  const recorder = new Recorder(stores, options);
  const tally = new Tally();
  const ends = await caughtUp(stores, recorder);
  let isFenced = false;
  for await (const old of oldCopies(stores, options, tally)) {
    const candidates = await unnamedOf(graph, old, ends);
    tally.candidates.add(candidates);
    if (candidates.length === 0) continue;
    if (options.dryRun) tally.remove(candidates);
    else await removeUnnamed(stores, recorder, { candidates, tally });
    isFenced = true;
  }
  if (!options.dryRun && !isFenced) await recorder.fence([]);
  const forgotten = options.dryRun ? 0 : await forgetSwept(stores, recorder);
  return {
    dryRun: options.dryRun ?? false,
    gcId: options.dryRun ? null : recorder.gcId,
    epochs: await epochsOf(graph),
    ...tally.report(),
    forgotten,
  };
}

async function epochsOf(graph: GraphReader): Promise<number[]> {
  const partitions = Array.from({ length: graph.partitionCount }, (_, partition) => partition);
  const checkpoints = await Promise.all(partitions.map((partition) => graph.checkpoint(partition)));
  return checkpoints.map(({ partition }) => partition.gcEpoch);
}
