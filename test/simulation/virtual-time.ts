import type { Scheduler } from './scheduler.js';

/** The scheduler of the run in hand; the product's timers belong to it. */
let current: Scheduler | undefined;

/** In the place of `node:timers/promises`. */
export function virtualSleep(ms: number, _value: undefined, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
  if (signal?.aborted) return Promise.reject(signal.reason as Error);
  const slept = scheduler().sleep(ms);
  if (!signal) return slept;
  const aborted = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => aborted.reject(signal.reason), { once: true });
  return Promise.race([slept, aborted.promise]);
}

/** The same objects in every run: Jest keeps whatever a global was ever set to, and with it what it holds. */
const timers = {
  setTimeout: (go: () => void, ms = 0) => scheduler().after(ms, go),
  clearTimeout: (id: number) => scheduler().cancel(id),
  setImmediate: (go: () => void) => scheduler().after(0, go),
  performance: { now: () => scheduler().now },
};
const signals = { any: anyOf, timeout: endingAfter };

/** Runs with the timers of this process in the scheduler's hands, and gives them back. */
export async function inVirtualTime<T>(of: Scheduler, run: () => Promise<T>): Promise<T> {
  const { setTimeout, clearTimeout, setImmediate, performance } = globalThis;
  const { timeout, any } = AbortSignal;
  const { stackTraceLimit } = Error;
  current = of;
  Object.assign(globalThis, timers);
  Object.assign(AbortSignal, signals);
  // Errors are what a simulation makes most of, and nobody reads where they came from.
  Error.stackTraceLimit = 0;
  try {
    return await run();
  } finally {
    Object.assign(globalThis, { setTimeout, clearTimeout, setImmediate, performance });
    Object.assign(AbortSignal, { timeout, any });
    Error.stackTraceLimit = stackTraceLimit;
    current = undefined;
  }
}

/** The platform's own holds what is never aborted, and with it the whole run, for ever. */
function anyOf(several: Iterable<AbortSignal>): AbortSignal {
  const ending = new AbortController();
  for (const signal of several) {
    if (signal.aborted) ending.abort(signal.reason);
    else signal.addEventListener('abort', () => ending.abort(signal.reason), { once: true });
  }
  return ending.signal;
}

function endingAfter(ms: number): AbortSignal {
  const ending = new AbortController();
  scheduler().after(ms, () => ending.abort(new Error('time is up')));
  return ending.signal;
}

function scheduler(): Scheduler {
  if (!current) throw new Error('no simulation runs');
  return current;
}
