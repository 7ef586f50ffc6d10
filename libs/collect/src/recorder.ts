import type { BlobSwept, GcFence } from '#core/event';
import { encodeEvent } from '#core/event-codec';
import { isVarveError, VarveError } from '#core/error';
import type { OutcomeRow } from '#core/graph-row';
import type { BlobAddress } from '#ports/blob-store';
import type { CollectOptions, CollectStores } from './collect-options.js';
import { outcomeOf } from './outcome-of.js';
import { checkWanted } from './wanted.js';

/** A projection that is this far behind is away; the next run tries again. */
const outcomeWaitMs = 60_000;
const resendMs = 250;

/** Puts the records of one run into the log and waits until the graph shows them. */
export class Recorder {
  /** 32 hex digits, the same in all records of the run. */
  readonly gcId: string;
  readonly signal: AbortSignal | undefined;
  readonly #stores: Omit<CollectStores, 'blobs'>;
  /** How long the projection is waited for. */
  readonly waitMs: number;

  constructor(stores: Omit<CollectStores, 'blobs'>, options: CollectOptions) {
    this.#stores = stores;
    this.waitMs = options.outcomeWaitMs ?? outcomeWaitMs;
    this.signal = options.signal;
    this.gcId = this.#id();
  }

  /** Returns when every partition has passed its fence: from there on nothing can name the copies. */
  async fence(copies: readonly BlobAddress[]): Promise<void> {
    await this.#everywhere('gc.fence.v1', copies);
  }

  /** Tells all partitions what was deleted. */
  async swept(copies: readonly BlobAddress[]): Promise<void> {
    await this.#everywhere('blob.swept.v1', copies);
  }

  async sweptFrom(partition: number, copies: readonly BlobAddress[]): Promise<void> {
    await this.#record(partition, 'blob.swept.v1', copies);
  }

  async #everywhere(type: (GcFence | BlobSwept)['type'], copies: readonly BlobAddress[]): Promise<void> {
    const { partitionCount } = this.#stores.log;
    const partitions = Array.from({ length: partitionCount }, (_, partition) => partition);
    await Promise.all(partitions.map((partition) => this.#record(partition, type, copies)));
  }

  async #record(partition: number, type: (GcFence | BlobSwept)['type'], copies: readonly BlobAddress[]): Promise<void> {
    const blobs = copies.map(({ digest, incarnation }) => ({ digest, incarnation }));
    const deadline = AbortSignal.timeout(this.waitMs);
    const until = this.signal ? AbortSignal.any([this.signal, deadline]) : deadline;
    for (let row: OutcomeRow | 'stale' = 'stale'; row === 'stale';) {
      const { gcEpoch } = (await this.#stores.graph.checkpoint(partition)).partition;
      const event = { type, txid: this.#id(), gcEpoch, gcId: this.gcId, blobs };
      row = await this.#judged(partition, event, until);
      if (row === 'stale' || row.outcome.type === 'accepted') continue;
      const { code, message, detail } = row.outcome;
      throw new VarveError(code, message, { ...detail, txid: event.txid });
    }
  }

  /**
   * Sends the same bytes until they have an outcome; again only when sending failed, or when the graph has passed them
   * without one. `stale`: fences of other collectors have passed the record, so it never gets an outcome.
   * @see event-log 1.6 rules 2, 9
   */
  async #judged(partition: number, event: GcFence | BlobSwept, until: AbortSignal): Promise<OutcomeRow | 'stale'> {
    const { log, graph, clock, random } = this.#stores;
    const bytes = encodeEvent(event, { source: `varve/${log.id}`, time: clock.now(), salt: random(16) });
    for (;;) {
      const end = await this.#append(partition, bytes);
      const row = await outcomeOf(graph, { partition, txid: event.txid, end }, until);
      if (row) return row;
      checkWanted(this.signal);
      if (until.aborted) throw this.#unknown(partition, event);
      if ((await graph.checkpoint(partition)).partition.gcEpoch - 1 > event.gcEpoch) return 'stale';
    }
  }

  /** Where the log ends now; beyond everything when it does not say. Whether a send that failed stands is not known. */
  async #append(partition: number, bytes: Uint8Array): Promise<number> {
    const { log } = this.#stores;
    try {
      await log.append(partition, [bytes]);
    } catch (error) {
      if (!isVarveError(error, 'UNAVAILABLE')) throw error;
      await new Promise((resolve) => void setTimeout(resolve, resendMs));
    }
    return log.end(partition).catch(() => Infinity);
  }

  #unknown(partition: number, { type, txid }: GcFence | BlobSwept): VarveError {
    const detail = { txid, partition, gcId: this.gcId };
    const message = `the projection of partition ${partition} has not passed the ${type} ${txid} in ${this.waitMs / 1_000} s; nothing is lost, run the collection again`;
    return new VarveError('OUTCOME_UNKNOWN', message, detail);
  }

  #id(): string {
    return Buffer.from(this.#stores.random(16)).toString('hex');
  }
}
