import { setTimeout as sleep } from 'node:timers/promises';
import { isVarveError, VarveError } from '#core/error';
import { encodeEvent } from '#core/event-codec';
import { limit } from '#core/limit';
import type { RefName, RepositoryName } from '#core/name';
import { partitionOf } from '#core/partition';
import type { AuditStore } from '#ports/audit-store';
import type { Clock } from '#ports/clock';
import type { EventLog } from '#ports/event-log';
import type { GraphReader } from '#ports/graph-store';
import { type AuditFinding, checkAudit } from './check-audit.js';
import { logName, openCheckpoint, originOf } from './checkpoint.js';
import { entryAt, firstAfter } from './entry-at.js';
import { AuditFollower } from './follow-audit.js';
import { consistencyProof, toBase64 } from './merkle.js';
import { Notary } from './notary.js';
import { type NoteSigner, parseNote } from './note.js';
import { type PublishedTree, proveRecord, proveRef } from './prove.js';
import { hashReader, readTile } from './read-hashes.js';
import { encodeBundle, encodeHashes, parseTilePath, tileWidth } from './tile.js';
import { appendCheckpoints, lastBodies } from './top-tree.js';

export interface AuditorOptions {
  readonly log: EventLog;
  readonly graph: GraphReader;
  readonly store: AuditStore;
  readonly signer: NoteSigner;
  readonly clock: Clock;
  /** So many unpredictable bytes. */
  readonly random: (sizeBytes: number) => Uint8Array;
  /** How often what is new is signed. */
  readonly intervalMs: number;
  /** How often a checkpoint is told to the log itself, where something is new. */
  readonly tellMs?: number;
}

const tellMsStandard = 600_000;

/** When or where a question is about: by the log's clock, or at a record. */
export type AuditPlace =
  | { readonly type: 'time'; readonly ms: number }
  | { readonly type: 'offset'; readonly offset: number }
  | { readonly type: 'now' };

/**
 * The audit of one log: the trees that follow it, the notary that signs them now and then, and the proofs. It stops, and
 * says why, when stored bytes contradict what was signed; writes and reads go on.
 */
export class Auditor {
  readonly store: AuditStore;
  /** Settles when the audit cannot go on. */
  readonly failed: Promise<VarveError>;
  readonly #options: Required<AuditorOptions>;
  readonly #follower: AuditFollower;
  readonly #notary: Notary;
  readonly #failed = Promise.withResolvers<VarveError>();
  readonly #ending = new AbortController();
  /** Entries of each tree when the log was told of it last, and when that was. */
  readonly #told: { size: number; at: number }[] = [];
  #failure: VarveError | undefined;
  #signing: Promise<void> = Promise.resolve();

  private constructor(options: AuditorOptions) {
    this.#options = { tellMs: tellMsStandard, ...options };
    const { store, signer } = options;
    this.store = store;
    this.failed = this.#failed.promise;
    this.#notary = new Notary(store, signer);
    this.#follower = new AuditFollower({ ...options, verifier: signer.verifier });
    void this.#follower.failure.then((error) => this.#fail(error));
  }

  /** @throws CONFIG_INVALID when the store is of another log, or another key signed its last checkpoint */
  static async start(options: AuditorOptions): Promise<Auditor> {
    const { store, log, signer } = options;
    await store.bind(log.id);
    if (signer.name !== logName(log.id)) {
      const message = `the audit key is of ${signer.name}; the log is ${logName(log.id)}: name the key file of this log in VARVE_AUDIT_KEY`;
      throw new VarveError('CONFIG_INVALID', message, { expected: logName(log.id), actual: signer.name });
    }
    const auditor = new Auditor(options);
    for (let tree = 0; tree < log.partitionCount; tree += 1)
      await auditor.#notary.checkKey(tree, originOf(log.id, tree));
    auditor.#follower.start();
    auditor.#signing = auditor.#signNowAndThen();
    return auditor;
  }

  /** What people check with. */
  get key(): string {
    return this.#options.signer.verifier.text;
  }

  get partitionCount(): number {
    return this.#options.log.partitionCount;
  }

  /** Why it does not go on. */
  failure(): VarveError | undefined {
    return this.#failure;
  }

  /**
   * The last signed tree of a partition that has everything the graph shows now; signs it if need be.
   * @throws what it failed with; NOT_PROJECTED when the tree is behind for too long
   */
  async published(partition: number): Promise<PublishedTree> {
    const { log, signer } = this.#options;
    await this.caughtUp(partition);
    const checkpoint = await this.#notary
      .publish(partition, originOf(log.id, partition))
      .catch((error: unknown) => this.#refuse(error));
    return { tree: partition, size: openCheckpoint(checkpoint, signer.verifier).size, checkpoint };
  }

  /** When the tree of a partition has everything the graph shows now. @throws as `published` */
  async caughtUp(partition: number): Promise<void> {
    this.#checkPartition(partition);
    const { offset } = await this.#options.graph.checkpoint(partition);
    const deadline = AbortSignal.timeout(limit.minPositionWaitMs);
    while (!this.#failure && (await this.store.size(partition)).entries <= offset) {
      if (deadline.aborted) {
        const message = `the audit tree of partition ${partition} is still behind record ${offset}: ask again`;
        throw new VarveError('NOT_PROJECTED', message, { partition, offset });
      }
      await sleep(2);
    }
    if (this.#failure) throw this.#failure;
  }

  /** The newest signed note of a partition, or, for the number after the last one, of the tree over all. @throws as `published` */
  async checkpoint(tree: number): Promise<string> {
    if (tree < this.partitionCount || this.partitionCount === 1) return (await this.published(tree)).checkpoint;
    this.#checkTree(tree);
    await this.#signAll();
    return (await this.store.checkpoint(tree)) as string;
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
    const published = await this.published(partitionOf(repo, this.partitionCount));
    const offset = await this.#offsetOf(published, place);
    return proveRef(this.#options, published, { repo, ref, offset });
  }

  /** @throws POSITION_UNKNOWN, and as `published` */
  async proveRecord(partition: number, offset: number): Promise<string> {
    const published = await this.published(partition);
    await this.#offsetOf(published, { type: 'offset', offset });
    return proveRecord(this.#options, published, offset);
  }

  /** Compares the log with the tree of a partition, and that with what was signed of it. */
  check(partition: number): AsyncGenerator<AuditFinding> {
    const { log, store, signer } = this.#options;
    return checkAudit({ log, store, verifier: signer.verifier }, partition);
  }

  /** Leaves; the stores stay open. */
  async close(): Promise<void> {
    this.#ending.abort();
    await this.#signing;
    await this.#follower.stop();
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

  async #signNowAndThen(): Promise<void> {
    const { intervalMs, clock, log } = this.#options;
    for (let tree = 0; tree < log.partitionCount; tree += 1) this.#told.push({ size: 0, at: clock.now() });
    while (!this.#ending.signal.aborted && !this.#failure) {
      await sleep(intervalMs, undefined, { signal: this.#ending.signal }).catch(() => undefined);
      if (this.#failure) return;
      // A store that is away for a while comes back; what contradicts a signature does not.
      await this.#signAll().catch((error: unknown) =>
        isVarveError(error) && ['UNAVAILABLE', 'STORAGE_FULL'].includes(error.code) ? undefined : this.#fail(error),
      );
    }
  }

  async #signAll(): Promise<void> {
    const { log } = this.#options;
    const bodies: string[] = [];
    for (let partition = 0; partition < log.partitionCount; partition += 1) {
      const note = await this.#notary.publish(partition, originOf(log.id, partition));
      await this.#tellLog(partition, note);
      bodies.push(parseNote(note)?.text ?? '');
    }
    if (log.partitionCount === 1) return;
    const top = log.partitionCount;
    const known = new Set(await lastBodies(this.store, top, 16 * top));
    const fresh = bodies.filter((body) => !known.has(body));
    if (fresh.length > 0 && (await appendCheckpoints(this.store, top, fresh)))
      await this.#notary.publish(top, logName(log.id));
  }

  /** Puts the checkpoint into the log, so that a log that is changed below it contradicts itself. */
  async #tellLog(partition: number, note: string): Promise<void> {
    const { log, signer, clock, random, tellMs } = this.#options;
    const told = this.#told[partition] as { size: number; at: number };
    const { origin, size, root } = openCheckpoint(note, signer.verifier);
    const now = clock.now();
    // The record of the last one is not something new.
    if (this.#ending.signal.aborted || now - told.at < tellMs || size <= told.size + 1) return;
    const txid = Buffer.from(random(16)).toString('hex');
    const event = { type: 'checkpoint.v1', txid, origin, size, root: toBase64(root), note } as const;
    await log.append(partition, [encodeEvent(event, { source: `varve/${log.id}`, time: now, salt: random(16) })]);
    this.#told[partition] = { size, at: now };
  }

  /** What contradicts a signature ends the audit; everything else is only thrown. */
  #refuse(error: unknown): never {
    if (isVarveError(error, 'CHECKPOINT_FORKED')) this.#fail(error);
    throw error;
  }

  #fail(error: unknown): void {
    const message = `the audit has stopped: ${error instanceof Error ? error.message : String(error)}`;
    this.#failure ??= isVarveError(error) ? error : new VarveError('INTERNAL', message, {}, { cause: error });
    this.#failed.resolve(this.#failure);
  }
}

function instant(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`;
}
