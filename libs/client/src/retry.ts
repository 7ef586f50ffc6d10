import { setTimeout as delay } from 'node:timers/promises';
import { type ErrorCode, isVarveError, VarveError } from '#core/error';

/** The codes after which the same request may be sent again and may then succeed. @see docs/reference/error.md "retry" */
export const retryableCodes: ReadonlySet<ErrorCode> = new Set([
  'NOT_PROJECTED',
  'OVERLOADED',
  'UNAVAILABLE',
  'OUTCOME_UNKNOWN',
]);

/** `firstDelayMs` doubles with each try up to `delayMaxMs`; half of each delay is chance, so that many clients spread. */
export interface RetryPolicy {
  readonly attemptsMax: number;
  readonly firstDelayMs: number;
  readonly delayMaxMs: number;
}

export const defaultRetryPolicy: RetryPolicy = { attemptsMax: 5, firstDelayMs: 100, delayMaxMs: 2_000 };
export const neverRetry: RetryPolicy = { attemptsMax: 1, firstDelayMs: 0, delayMaxMs: 0 };

/**
 * True when sending the same request again may help. A refused connection is not retried: nobody listens there,
 * and a person is better served by an answer at once.
 */
export function isRetryable(error: unknown): error is VarveError {
  return isVarveError(error) && retryableCodes.has(error.code) && error.detail['refused'] !== true;
}

/** Runs `attempt` until it succeeds, fails for good, or the policy is used up; then throws the last error. @throws CANCELLED */
export async function withRetry<T>(
  attempt: () => Promise<T>,
  { policy, signal }: { policy: RetryPolicy; signal: AbortSignal | undefined },
): Promise<T> {
  for (let attempts = 1; ; attempts++) {
    try {
      return await attempt();
    } catch (error) {
      if (!isRetryable(error) || attempts >= policy.attemptsMax) throw error;
      await pause(delayMs({ policy, attempts, error }), signal);
    }
  }
}

/** @throws CANCELLED when the caller has left */
export function checkNotCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new VarveError('CANCELLED', 'interrupted', {}, { cause: signal.reason });
}

/** Waits, or throws CANCELLED as soon as the caller leaves. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(ms, undefined, signal ? { signal } : {});
  } catch (cause) {
    throw new VarveError('CANCELLED', 'interrupted while waiting to try again', {}, { cause });
  }
}

/** The server's own wish (`Retry-After`) wins over our backoff. */
export function delayMs(wait: { policy: RetryPolicy; attempts: number; error: VarveError }): number {
  const asked = wait.error.detail['retryAfterMs'];
  if (typeof asked === 'number') return Math.min(asked, wait.policy.delayMaxMs);
  const backoff = Math.min(wait.policy.firstDelayMs * 2 ** (wait.attempts - 1), wait.policy.delayMaxMs);
  return backoff / 2 + (backoff / 2) * Math.random();
}
