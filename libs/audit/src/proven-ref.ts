import { VarveError } from '#core/error';
import type { RefName, RepositoryName } from '#core/name';
import type { ProvenRef } from './evidence.js';
import type { Hash } from './merkle.js';
import { provenValue, refKey, refValueHash } from './state-map.js';

/** The map with this root says of the ref what the proof says it does. @throws PROOF_INVALID */
export function mapSays(
  root: Hash,
  { repo, ref }: { readonly repo: RepositoryName; readonly ref: RefName },
  { value, map }: ProvenRef,
): void {
  const shown = provenValue(root, refKey(repo, ref), map);
  if (shown === (value === null ? null : refValueHash(value))) return;
  throw invalid(`the map of refs does not say that ${ref} of ${repo} was at ${value?.commit ?? 'nothing'}`);
}

export function invalid(why: string): VarveError {
  return new VarveError('PROOF_INVALID', `the proof does not hold: ${why}`);
}
