import type { CommitId } from './commit.js';
import type { RefName } from './name.js';

/**
 * What a ref holds: a commit, or null when it was deleted, and the repository's move counter at its last accepted
 * move. The version only grows and survives deletion, so no late duplicate can take effect. @see event-log.md 1.6 rule 3
 */
export interface RefValue {
  readonly commit: CommitId | null;
  readonly version: number;
}

/** `ff`: the new commit must descend from the old one (or there is no old one). `force`: anywhere. */
export type MoveMode = 'ff' | 'force';

/** A wish to move one ref, and the value it must still have. `to: null` deletes. */
export interface RefUpdate {
  readonly ref: RefName;
  readonly expect: RefValue;
  readonly to: CommitId | null;
  readonly mode: MoveMode;
}

export function sameRefValue(a: RefValue, b: RefValue): boolean {
  return a.commit === b.commit && a.version === b.version;
}

/** For messages. */
export function formatRefValue({ commit, version }: RefValue): string {
  return `${commit ?? 'nothing'}, version ${version}`;
}
