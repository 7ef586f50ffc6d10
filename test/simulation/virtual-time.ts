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

/** Runs with the timers of this process in the scheduler's hands, and gives them back. */
export async function inVirtualTime<T>(of: Scheduler, run: () => Promise<T>): Promise<T> {
  const { setTimeout, clearTimeout, setImmediate, performance } = globalThis;
  const timeout = AbortSignal.timeout;
  const { stackTraceLimit } = Error;
  const replaced = {
    setTimeout: (go: () => void, ms = 0) => of.after(ms, go),
    clearTimeout: (id: number) => of.cancel(id),
    setImmediate: (go: () => void) => of.after(0, go),
    performance: { now: () => of.now },
  };
  current = of;
  Object.assign(globalThis, replaced);
  // Errors are what a simulation makes most of, and nobody reads where they came from.
  Error.stackTraceLimit = 0;
  AbortSignal.timeout = (ms) => {
    const ending = new AbortController();
    of.after(ms, () => ending.abort(new Error('time is up')));
    return ending.signal;
  };
  try {
    return await run();
  } finally {
    Object.assign(globalThis, { setTimeout, clearTimeout, setImmediate, performance });
    AbortSignal.timeout = timeout;
    Error.stackTraceLimit = stackTraceLimit;
    current = undefined;
  }
}

function scheduler(): Scheduler {
  if (!current) throw new Error('no simulation runs');
  return current;
}
