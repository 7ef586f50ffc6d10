import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import { VarveError } from '#core/error';
import { limit } from '#core/limit';
import type { RepositoryName } from '#core/name';
import { formatPosition } from '#core/position';
import { watch, type WatchedEvent } from '#query/watch';
import { ENGINE, type Engine } from './engine.js';

/** `alive` while nothing happens, so that a reader that is gone is found out. */
export type WatchStep =
  | { readonly type: 'begun'; readonly position: string }
  | { readonly type: 'event'; readonly event: WatchedEvent }
  | { readonly type: 'alive' };

const aliveEveryMs = 15_000;

/** The watches of this process, of every door: counted, and ended before the doors close, for none ends by itself. */
@Injectable()
export class Watchers implements BeforeApplicationShutdown {
  readonly #engine: Engine;
  readonly #closing = new AbortController();
  #count = 0;

  constructor(@Inject(ENGINE) engine: Engine) {
    this.#engine = engine;
  }

  beforeApplicationShutdown(): void {
    this.#closing.abort();
  }

  /** Aborts when the process is to end: for other streams that have no end. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /**
   * Where it begins, then what happens, until the signal or the end of the process.
   * @throws OVERLOADED, and what `watch` throws
   */
  async *watch(
    asked: { readonly repo: RepositoryName; readonly after: string | undefined },
    left: AbortSignal,
  ): AsyncGenerator<WatchStep> {
    if (this.#count >= limit.watchersMax) {
      throw new VarveError('OVERLOADED', `${limit.watchersMax} watches run already, which is all this process takes`);
    }
    this.#count += 1;
    const over = new AbortController();
    const signal = AbortSignal.any([left, this.#closing.signal, over.signal]);
    try {
      const begun = await watch(this.#engine, asked, signal);
      // The oldest position there is stands for the place before it.
      yield { type: 'begun', position: formatPosition({ ...begun.after, offset: Math.max(begun.after.offset, 0) }) };
      yield* withSigns(begun.events());
    } finally {
      over.abort();
      this.#count -= 1;
    }
  }
}

/** The events end by themselves soon after their signal. */
async function* withSigns(events: AsyncGenerator<WatchedEvent>): AsyncGenerator<WatchStep> {
  let next = events.next();
  // Whoever stops reading does so between two steps, and would leave the one that was asked for without a taker.
  next.catch(() => undefined);
  for (;;) {
    const quiet = alarm();
    const step = await Promise.race([next, quiet.rang]);
    quiet.stop();
    if (step === 'alive') {
      yield { type: 'alive' };
      continue;
    }
    if (step.done) return;
    yield { type: 'event', event: step.value };
    next = events.next();
    next.catch(() => undefined);
  }
}

function alarm(): { readonly rang: Promise<'alive'>; stop(): void } {
  const { promise, resolve } = Promise.withResolvers<'alive'>();
  const timer = setTimeout(() => resolve('alive'), aliveEveryMs);
  return { rang: promise, stop: () => clearTimeout(timer) };
}
