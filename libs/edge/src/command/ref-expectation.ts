import { VarveError } from '#core/error';
import type { RefName, RepositoryName } from '#core/name';
import { formatRefValue, type MoveMode, type RefValue } from '#core/ref';

/** What a ref must be for a write to take effect: a value, not there, or there wherever it is. */
export type RefExpectation = RefValue | 'absent' | 'present';

/** The value that the fold compares; `present` when the ref must exist and does not; undefined: what it is. */
export function expectedValue(expect: RefExpectation | undefined, actual: RefValue): RefValue | 'present' | undefined {
  if (expect === 'absent') return { commit: null, version: actual.version };
  if (expect === 'present') return actual.commit === null ? 'present' : actual;
  return expect;
}

/**
 * A move by force says which value it overwrites, so that nobody loses commits that nobody has seen.
 * @see surface.md 4.5 @throws EXPECTATION_REQUIRED
 */
export function checkLease({ repo, ref, mode, expect }: Forcing, actual: RefValue): void {
  if (mode !== 'force' || actual.commit === null || (expect !== undefined && expect !== 'present')) return;
  const message = `${ref} of ${repo} is moved by force: say which value is overwritten; it is at ${formatRefValue(actual)}`;
  throw new VarveError('EXPECTATION_REQUIRED', message, { repository: repo, ref, actual });
}

interface Forcing {
  readonly repo: RepositoryName;
  readonly ref: RefName;
  readonly mode: MoveMode;
  readonly expect: RefExpectation | undefined;
}

export function notThere(ref: RefName, actual: RefValue): VarveError {
  return new VarveError('REF_STALE', `${ref} does not exist, and the request wants it to`, {
    ref,
    expected: '*',
    actual,
  });
}
