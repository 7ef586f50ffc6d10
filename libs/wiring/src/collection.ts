import { randomBytes } from 'node:crypto';
import { collect, type CollectReport, type CollectStores } from '#collect/collect';
import { OneAtATime } from './one-at-a-time.js';
import { systemClock } from './system-clock.js';

/** How one run goes. */
export interface CollectionRun {
  readonly dryRun: boolean;
  readonly signal?: AbortSignal;
}

/** Collects the garbage of the stores, one run at a time in this process. Runs of others side by side do no harm. */
export class Collection {
  readonly #stores: Pick<CollectStores, 'log' | 'graph' | 'blobs'>;
  readonly #graceMs: number;
  readonly #runs = new OneAtATime('a collection of garbage');

  constructor(stores: Pick<CollectStores, 'log' | 'graph' | 'blobs'>, options: { readonly graceMs: number }) {
    this.#stores = stores;
    this.#graceMs = options.graceMs;
  }

  /** @throws OVERLOADED while another run of this process goes on, and as `collect` does */
  run(options: CollectionRun): Promise<CollectReport> {
    const stores = { ...this.#stores, clock: systemClock, random: randomBytes };
    return this.#runs.run(() => collect(stores, { graceMs: this.#graceMs, ...options }));
  }
}
