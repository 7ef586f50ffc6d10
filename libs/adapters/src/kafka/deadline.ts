import { setTimeout as sleep } from 'node:timers/promises';
import { isSettling } from './kafka-error.js';

/** How long we wait for Kafka before we say that it does not answer; kafkajs' own retries go on for a minute. */
export const answerMs = 5_000;

/** What `work` gives, or an error when that takes longer. The work itself is not stopped: nobody looks at it any more. */
export async function inTime<T>(work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer in ${answerMs} ms`)), answerMs);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}

/** Again and again while the topic settles, as long as there is time. Belongs into `inTime`. */
export async function untilSettled<T>(attempt: () => Promise<T>): Promise<T> {
  for (const deadline = performance.now() + answerMs; ; await sleep(settlingMs)) {
    try {
      return await attempt();
    } catch (error) {
      if (!isSettling(error) || performance.now() > deadline - settlingMs) throw error;
    }
  }
}

const settlingMs = 100;
