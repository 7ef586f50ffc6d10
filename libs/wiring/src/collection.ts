import { randomBytes } from 'node:crypto';
import type { CollectStores } from '#collect/collect-options';
import { collectAll, type GarbageReport } from '#collect/collect-all';
import { provenancesOf } from '#edge/command/provenances';
import type { Engine } from '#edge/engine';
import { OneAtATime } from './one-at-a-time.js';
import { systemClock } from './system-clock.js';

/** How one run goes. */
export interface CollectionRun {
  readonly dryRun: boolean;
  /** Takes over a store that has the mark of another event log. */
  readonly adopt?: boolean;
  readonly signal?: AbortSignal;
}

/** What it works on: the stores, and what knows of their derived bytes. */
export type CollectionStores = Pick<CollectStores, 'log' | 'graph' | 'blobs'> & Pick<Engine, 'layers' | 'jobs'>;

/** Collects the garbage of the stores, one run at a time in this process. Runs of others side by side do no harm. */
export class Collection {
  readonly #stores: CollectionStores;
  readonly #graceMs: number;
  readonly #runs = new OneAtATime('a collection of garbage');

  constructor(stores: CollectionStores, options: { readonly graceMs: number }) {
    this.#stores = stores;
    this.#graceMs = options.graceMs;
  }

  /** @throws OVERLOADED while another run of this process goes on, and as `collectAll` does */
  run(options: CollectionRun): Promise<GarbageReport> {
    const stores = { ...this.#stores, clock: systemClock, random: randomBytes };
    const provenances = provenancesOf(stores, systemClock);
    return this.#runs.run(() => collectAll(stores, provenances, { graceMs: this.#graceMs, ...options }));
  }
}
