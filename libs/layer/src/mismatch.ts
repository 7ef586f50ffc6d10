import type { Digest } from '#core/digest';
import { VarveError } from '#core/error';

/** `what` is told in the message: `the digest of a layer`. @throws DIGEST_MISMATCH */
export function refuseMismatch(what: string, expected: Digest | undefined, actual: Digest): void {
  if (expected === undefined || expected === actual) return;
  throw new VarveError('DIGEST_MISMATCH', `${what} is ${actual}; expected ${expected}`, { expected, actual });
}

/** `actual` is what was read until now: at least so many bytes. @throws SIZE_MISMATCH */
export function refuseSize(what: string, expected: number | undefined, actual: number): void {
  if (expected === undefined || expected === actual) return;
  throw new VarveError('SIZE_MISMATCH', `a ${what} was to have ${expected} bytes; ${actual} were read`, {
    expected,
    actual,
  });
}
