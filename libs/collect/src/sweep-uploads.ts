import type { BlobStore, StagedFile } from '#ports/blob-store';
import type { Clock } from '#ports/clock';
import { type CopyAmount, CopyCount } from './copy-amount.js';
import type { SweepOptions } from './sweep-derived.js';

/** What uploads left behind that were never sealed. */
export interface SweptUploads {
  /** All that is staged, also by uploads that go on. */
  readonly staged: CopyAmount;
  /** Removed, or what would be. */
  readonly removed: CopyAmount;
}

/**
 * Removes what was staged longer ago than the grace period and belongs to nobody: what a killed process left on the
 * disk, and parts of uploads in an object store that nobody has touched for that store's own window, if that is longer.
 * Never what somebody is writing. @throws UNAVAILABLE
 */
export async function sweepAbandonedUploads(
  { blobs, clock }: { readonly blobs: Pick<BlobStore, 'staged' | 'sweepStaging'>; readonly clock: Clock },
  { graceMs, dryRun = false }: SweepOptions,
): Promise<SweptUploads> {
  const [staged, removed] = [new CopyCount(), new CopyCount()];
  const storedBefore = graceMs === 0 ? Infinity : clock.now() - graceMs;
  const isAbandoned = ({ inUse, modifiedAt }: StagedFile): boolean => !inUse && modifiedAt <= storedBefore;
  for await (const file of blobs.staged()) {
    staged.add([file]);
    if (isAbandoned(file)) removed.add([file]);
  }
  if (!dryRun) await blobs.sweepStaging(graceMs);
  return { staged: staged.amount(), removed: removed.amount() };
}
