import type { DerivedAddress, StoredDerived } from './blob-store.js';

/**
 * Where the derived bytes of one kind come from, and so which of them nobody can ask for any more. Answers may be late or
 * early: what is removed by mistake is made again when it is wanted, and costs time. @see event-log 1.6 rule 14
 */
export interface Provenance {
  readonly kind: DerivedAddress['kind'];
  /** So many are asked about at once, and held in memory: an answer may take a pass over the history. */
  readonly pageSize: number;
  /** Those of a page that come from nothing that there still is, each with why. @throws UNAVAILABLE */
  orphansOf(page: readonly StoredDerived[]): Promise<readonly Orphan[]>;
  /** Removes them as their kind wants it; absent, they are deleted. @throws UNAVAILABLE */
  remove?(orphans: readonly Orphan[]): Promise<void>;
}

export interface Orphan extends StoredDerived {
  /** For people: what of its provenance is gone. */
  readonly why: string;
}

/**
 * How the format of stored bytes stands to that of this code. Nobody asks for an older one; a newer one is asked for by
 * newer processes, which may share the store.
 */
export function formatOf({ address }: StoredDerived, version: number): 'older' | 'current' | 'newer' {
  if (address.version === version) return 'current';
  return address.version < version ? 'older' : 'newer';
}
