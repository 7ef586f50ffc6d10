import { setTimeout as sleep } from 'node:timers/promises';
import { VarveError } from '#core/error';
import { limit } from '#core/limit';
import type { RefName, RepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import type { AuditStore } from '#ports/audit-store';
import type { Clock } from '#ports/clock';
import type { EventLog } from '#ports/event-log';
import type { GraphReader } from '#ports/graph-store';
import type { AuditWriter } from './audit-writer.js';
import { type AuditFinding, checkAudit } from './check-audit.js';
import { entryAt, firstAfter } from './entry-at.js';
import { consistencyProof, toBase64 } from './merkle.js';
import { type PastOutcome, pastOutcome } from './past-outcome.js';
import { type PublishedTree, proveRecord, proveRef } from './prove.js';
import { hashReader, readTile } from './read-hashes.js';
import { SignedTrees } from './signed-trees.js';
import { encodeBundle, encodeHashes, parseTilePath, tileWidth } from './tile.js';

export interface AuditorOptions {
  readonly log: EventLog;
  readonly graph: GraphReader;
  readonly store: AuditStore;
  readonly clock: Clock;
  /** Who signs, when that is this process; else another one does, and is asked to. */
  readonly writer?: Pick<AuditWriter, 'sign' | 'failure' | 'verifier'> | undefined;
  /** How long a signature of another process is waited for. */
  readonly signatureMs?: number;
}

const lookMsMin = 2;
const lookMsMax = 250;

/** When or where a question is about: by the log's clock, or at a record. */
export type AuditPlace =
  | { readonly type: 'time'; readonly ms: number }
  | { readonly type: 'offset'; readonly offset: number }
  | { readonly type: 'now' };

/**
 * The reading half of the audit of one log: questions, proofs, tiles and checkpoints, from what the writing half keeps, in
 * this process or in another. It has the public key alone, and tells why nothing is signed when that is so.
 */
export class Auditor {
  readonly store: AuditStore;
  readonly #options: AuditorOptions;
  readonly #signed: SignedTrees;

  constructor(options: AuditorOptions) {
    this.#options = options;
    this.store = options.store;
    this.#signed = new SignedTrees(options);
  }

  get partitionCount(): number {
    return this.#options.log.partitionCount;
  }

  /** What became of a record, for ever; undefined for what did nothing. @throws as `caughtUp` */
  async outcomeAt(partition: number, offset: number): Promise<PastOutcome | undefined> {
    if ((await this.store.size(partition)).entries <= offset) await this.caughtUp(partition);
    return pastOutcome(this.store, partition, offset);
  }

  /** What people check with. @throws NOT_PROJECTED as long as nobody has signed anything */
  async publicKey(): Promise<string> {
    return (await this.#signed.verifier()).text;
  }

  /**
   * The last signed tree of a partition that has everything the graph shows now; signs it if need be.
   * @throws what it failed with; NOT_PROJECTED when the tree is behind for too long
   */
  async published(partition: number): Promise<PublishedTree> {
    const { graph, writer } = this.#options;
    this.#checkPartition(partition);
    if (!writer) return this.#signed.upTo(partition, (await graph.checkpoint(partition)).offset + 1);
    await this.caughtUp(partition);
    await writer.sign(partition);
    return this.#signed.newest(partition);
  }

  /** When the tree of a partition has everything the graph shows now. @throws as `published` */
  async caughtUp(partition: number): Promise<void> {
    this.#checkPartition(partition);
    const { offset } = await this.#options.graph.checkpoint(partition);
    const deadline = AbortSignal.timeout(limit.minPositionWaitMs);
    for (let waitMs = lookMsMin; ; waitMs = Math.min(2 * waitMs, lookMsMax)) {
      await this.#signed.refuseWhenStopped();
      if ((await this.store.size(partition)).entries > offset) return;
      if (deadline.aborted) throw behind(partition, offset);
      await sleep(waitMs);
    }
  }

  /** The newest signed note of a partition, or, for the number after the last one, of the tree over all. @throws as `published` */
  async checkpoint(tree: number): Promise<string> {
    if (tree < this.partitionCount || this.partitionCount === 1) return (await this.published(tree)).checkpoint;
    this.#checkTree(tree);
    const { writer } = this.#options;
    if (!writer) {
      const partitions = Array.from({ length: tree }, (_, partition) => this.published(partition));
      return (await this.#signed.overAll(await Promise.all(partitions))).checkpoint;
    }
    await writer.sign(tree);
    return (await this.#signed.newest(tree)).checkpoint;
  }

  /** @throws RANGE_INVALID for sizes that were never signed */
  async consistency(tree: number, from: number, to: number): Promise<readonly string[]> {
    this.#checkTree(tree);
    const { entries } = await this.store.size(tree);
    if (from >= 1 && from <= to && to <= entries) {
      return (await consistencyProof(from, to, hashReader(this.store, tree))).map(toBase64);
    }
    throw new VarveError('RANGE_INVALID', `the tree has ${entries} records; from ${from} to ${to} is no part of it`, {
      from,
      to,
      entries,
    });
  }

  /** The bytes of a tile by its path. @throws REQUEST_INVALID, RANGE_INVALID for one that is not there, or not so wide */
  async tile(tree: number, path: string): Promise<{ readonly bytes: Uint8Array; readonly isFull: boolean }> {
    const { level, index, width } = parseTilePath(path);
    this.#checkTree(tree);
    const isFull = width === tileWidth;
    if (level === 'entries') {
      const rows = await this.store.entries(tree, index * tileWidth, index * tileWidth + width);
      if (rows.length === width) return { bytes: encodeBundle(rows.map(({ entry }) => entry)), isFull };
    } else {
      const hashes = await readTile(this.store, tree, { level, index });
      if (hashes.length >= width) return { bytes: encodeHashes(hashes.slice(0, width)), isFull };
    }
    throw new VarveError('RANGE_INVALID', `${path} is not there: the tree is not so large`, { path });
  }

  /** @throws TIME_UNKNOWN, POSITION_UNKNOWN, REPOSITORY_UNKNOWN, and as `published` */
  async proveRef(repo: RepositoryName, ref: RefName, place: AuditPlace): Promise<string> {
    const published = await this.#covering(partitionOf(repo, this.partitionCount), place);
    const offset = await this.#offsetOf(published, place);
    return proveRef(this.#options, published, { repo, ref, offset });
  }

  /** @throws POSITION_UNKNOWN, and as `published` */
  async proveRecord(partition: number, offset: number): Promise<string> {
    const place = { type: 'offset', offset } as const;
    const published = await this.#covering(partition, place);
    await this.#offsetOf(published, place);
    return proveRecord(this.#options, published, offset);
  }

  /** Compares the log with the tree of a partition, and that with what was signed of it. */
  async *check(partition: number): AsyncGenerator<AuditFinding> {
    const { log, store } = this.#options;
    const isSigned = (await store.checkpoint(partition)) !== undefined;
    const verifier = isSigned ? await this.#signed.verifier() : undefined;
    yield* checkAudit({ log, store, verifier }, partition);
  }

  #checkPartition(partition: number): void {
    if (partition < this.partitionCount) return;
    const message = `there is no partition ${partition}; the log has ${this.partitionCount}`;
    throw new VarveError('POSITION_UNKNOWN', message, { partition });
  }

  #checkTree(tree: number): void {
    if (tree !== this.partitionCount || tree === 1) this.#checkPartition(tree);
  }

  /** The last record at or before the place. */
  async #offsetOf({ tree, size }: PublishedTree, place: AuditPlace): Promise<number> {
    if (place.type === 'now') return size - 1;
    if (place.type === 'offset') {
      if (place.offset < size) return place.offset;
      const message = `record ${place.offset} of partition ${tree} is not there; the last one is ${size - 1}`;
      throw new VarveError('POSITION_UNKNOWN', message, { partition: tree, offset: place.offset, last: size - 1 });
    }
    const now = this.#options.clock.now();
    const last = await entryAt(this.store, tree, size - 1);
    if (place.ms > Math.max(now, last.t)) {
      const message = `${instant(place.ms)} is in the future, for it is ${instant(now)} now: ask for an earlier time, or later`;
      throw new VarveError('TIME_UNKNOWN', message, { time: place.ms, now });
    }
    const after = await firstAfter(this.store, { tree, size }, place.ms);
    if (after > 0) return after - 1;
    const first = await entryAt(this.store, tree, 0);
    const message = `${instant(place.ms)} is before the first record, of ${instant(first.t)}: ask for that time or a later one`;
    throw new VarveError('TIME_UNKNOWN', message, { time: place.ms, first: first.t });
  }

  /** A signed tree that has the place: the last one as it is, if it does, where signing anew takes another process. */
  async #covering(partition: number, place: AuditPlace): Promise<PublishedTree> {
    this.#checkPartition(partition);
    if (!this.#options.writer && place.type !== 'now') {
      await this.#signed.refuseWhenStopped();
      const last = await this.#signed.last(partition);
      if (last && (await this.#covers(last, place))) return last;
    }
    return this.published(partition);
  }

  /** Whether nothing that is still to be signed could be the answer. */
  async #covers({ tree, size }: PublishedTree, place: Exclude<AuditPlace, { type: 'now' }>): Promise<boolean> {
    if (place.type === 'offset') return place.offset < size;
    return size > 0 && (await entryAt(this.store, tree, size - 1)).t > place.ms;
  }
}

function behind(partition: number, offset: number): VarveError {
  const message = `the audit tree of partition ${partition} is still behind record ${offset}: ask again`;
  return new VarveError('NOT_PROJECTED', message, { partition, offset });
}

function instant(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`;
}
