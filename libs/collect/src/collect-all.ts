import type { Provenance } from '#ports/provenance';
import { collect, type CollectReport } from './collect.js';
import type { CollectOptions, CollectStores } from './collect-options.js';
import { checkOwner } from './store-owner.js';
import { sweepDerived, type SweptKind } from './sweep-derived.js';
import { sweepAbandonedUploads, type SweptUploads } from './sweep-uploads.js';

/** What a whole run removed, or would remove. */
export interface GarbageReport extends CollectReport {
  readonly derived: readonly SweptKind[];
  readonly uploads: SweptUploads;
}

/**
 * Everything that goes in the end, in this order: copies of blobs that nothing names, derived bytes that come from
 * nothing, staged bytes that belong to nobody. Only the first takes the log. A store that is another log's too is left as
 * it is, unless it is adopted. @throws as `checkOwner` and `collect` do
 */
export async function collectAll(
  stores: CollectStores,
  provenances: readonly Provenance[],
  options: CollectOptions & { readonly adopt?: boolean },
): Promise<GarbageReport> {
  await checkOwner(stores, options);
  const report = await collect(stores, options);
  const derived = await sweepDerived(stores, provenances, options);
  const uploads = await sweepAbandonedUploads(stores, options);
  return { ...report, derived, uploads };
}
