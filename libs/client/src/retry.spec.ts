import { isVarveError, VarveError } from '#core/error';
import { delayMs, withRetry } from './retry.js';

const policy = { attemptsMax: 3, firstDelayMs: 1, delayMaxMs: 2 };
const busy = new VarveError('OVERLOADED', 'too much at once');

/** Fails with each error in turn, then succeeds; counts the attempts. */
function failing(...errors: readonly VarveError[]): { attempt(): Promise<string>; attempts(): number } {
  let attempts = 0;
  return {
    attempt: () => {
      const error = errors[attempts++];
      return error ? Promise.reject(error) : Promise.resolve('done');
    },
    attempts: () => attempts,
  };
}

it('tries again what may succeed, and returns what it brings', async () => {
  const { attempt, attempts } = failing(busy, busy);
  expect(await withRetry(attempt, { policy, signal: undefined })).toBe('done');
  expect(attempts()).toBe(3);
});

it('gives up with the last error when the policy is used up', async () => {
  const last = new VarveError('NOT_PROJECTED', 'not yet');
  const { attempt, attempts } = failing(busy, busy, last, busy);
  await expect(withRetry(attempt, { policy, signal: undefined })).rejects.toBe(last);
  expect(attempts()).toBe(3);
});

it.each([
  ['a refusal', new VarveError('REF_STALE', 'main has moved')],
  ['a server that is not there', new VarveError('UNAVAILABLE', 'no server', { refused: true })],
  ['damage', new VarveError('CORRUPT', 'the bytes are not what they were')],
])('does not try again after %s', async (_what, error) => {
  const { attempt, attempts } = failing(error);
  await expect(withRetry(attempt, { policy, signal: undefined })).rejects.toBe(error);
  expect(attempts()).toBe(1);
});

it('stops waiting when the caller leaves', async () => {
  const stop = new AbortController();
  const slow = { attemptsMax: 3, firstDelayMs: 60_000, delayMaxMs: 60_000 };
  const running = withRetry(failing(busy).attempt, { policy: slow, signal: stop.signal }).catch(
    (error: unknown) => error,
  );
  stop.abort();
  expect(isVarveError(await running, 'CANCELLED')).toBe(true);
});

it('waits as long as the server asks, within its own limit, else longer with each attempt', () => {
  const asked = (ms: number) => new VarveError('OVERLOADED', 'wait', { retryAfterMs: ms });
  const patient = { attemptsMax: 9, firstDelayMs: 100, delayMaxMs: 2_000 };
  expect(delayMs({ policy: patient, attempts: 1, error: asked(700) })).toBe(700);
  expect(delayMs({ policy: patient, attempts: 1, error: asked(30_000) })).toBe(2_000);
  for (const [attempts, most] of [
    [1, 100],
    [2, 200],
    [4, 800],
    [9, 2_000],
  ] as const) {
    const ms = delayMs({ policy: patient, attempts, error: busy });
    expect(ms).toBeGreaterThanOrEqual(most / 2);
    expect(ms).toBeLessThanOrEqual(most);
  }
});
