import type { BlobStore, DerivedAddress, StoredDerived } from '#ports/blob-store';
import type { Clock } from '#ports/clock';
import type { Orphan, Provenance } from '#ports/provenance';
import { type CopyAmount, CopyCount } from './copy-amount.js';

export interface DerivedStores {
  readonly blobs: Pick<BlobStore, 'derived' | 'delete'>;
  /** Only tells how old an object is. */
  readonly clock: Clock;
}

export interface SweepOptions {
  /**
   * What was stored later than this long ago is left alone; 0 takes all. It spares what is about to be named, and what
   * another process has just made; without it they only have to make it again.
   */
  readonly graceMs: number;
  /** Tells what would be removed, and removes nothing. */
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** What became of the derived bytes of one kind. */
export interface SweptKind {
  readonly kind: DerivedAddress['kind'];
  /** All that the store held when it was listed. */
  readonly stored: CopyAmount;
  /** Removed, or what would be. */
  readonly removed: CopyAmount;
}

/**
 * Removes derived bytes whose provenance is gone, kind by kind in the order given. In memory is one page of one kind.
 * Any number of processes may do so, beside every reader and writer: who loses bytes that were wanted after all makes
 * them again. Ending at any step leaves what the next run takes. @throws CANCELLED, UNAVAILABLE
 * @see event-log 1.6 rule 14, docs/decision/0020-derived-bytes.md
 */
export async function sweepDerived(
  stores: DerivedStores,
  provenances: readonly Provenance[],
  options: SweepOptions,
): Promise<readonly SweptKind[]> {
  const swept: SweptKind[] = [];
  for (const provenance of provenances) swept.push(await sweepKind(stores, provenance, options));
  return swept;
}

async function sweepKind(
  { blobs, clock }: DerivedStores,
  provenance: Provenance,
  { graceMs, dryRun = false, signal }: SweepOptions,
): Promise<SweptKind> {
  const { kind, pageSize } = provenance;
  const [stored, removed] = [new CopyCount(), new CopyCount()];
  // Without grace everything is old enough, whatever the store's clock says.
  const storedBefore = graceMs === 0 ? Infinity : clock.now() - graceMs;
  let page: StoredDerived[] = [];
  const sweepPage = async (): Promise<void> => {
    signal?.throwIfAborted();
    if (page.length === 0) return;
    const orphans = await provenance.orphansOf(page);
    page = [];
    if (!dryRun) await remove(blobs, provenance, orphans);
    removed.add(orphans);
  };
  for await (const one of blobs.derived(kind)) {
    stored.add([one]);
    if (one.modifiedAt > storedBefore) continue;
    page.push(one);
    if (page.length === pageSize) await sweepPage();
  }
  await sweepPage();
  return { kind, stored: stored.amount(), removed: removed.amount() };
}

async function remove(
  blobs: Pick<BlobStore, 'delete'>,
  provenance: Provenance,
  orphans: readonly Orphan[],
): Promise<void> {
  if (provenance.remove) await provenance.remove(orphans);
  else for (const { address } of orphans) await blobs.delete(address);
}
