import { setTimeout as pause } from 'node:timers/promises';
import { isPassing } from './s3-error.js';

const firstPauseMs = 25;
const pauseMsMax = 1_000;

/**
 * Does it again while it fails with what may pass, with growing pauses, as long as the next try begins within `withinMs`
 * of the first. Whatever is done must bear being done twice. Throws the last error as it is.
 */
export async function retry<T>(
  withinMs: number,
  attempt: () => Promise<T>,
  mayPass: (error: unknown, tries: number) => boolean = isPassing,
): Promise<T> {
  const startedAt = performance.now();
  for (let tries = 1, pauseMs = firstPauseMs; ; tries += 1, pauseMs = Math.min(2 * pauseMs, pauseMsMax)) {
    try {
      return await attempt();
    } catch (error) {
      // Between half and all of it: requests that failed together do not come back together.
      const waitMs = pauseMs * (1 - Math.random() / 2);
      if (!mayPass(error, tries) || performance.now() - startedAt + waitMs > withinMs) throw error;
      await pause(waitMs);
    }
  }
}
