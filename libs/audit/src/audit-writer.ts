import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, isVarveError, VarveError } from '#core/error';
import { encodeEvent } from '#core/event-codec';
import type { AuditStore } from '#ports/audit-store';
import type { Clock } from '#ports/clock';
import type { EventLog } from '#ports/event-log';
import type { GraphReader } from '#ports/graph-store';
import { logName, openCheckpoint, originOf } from './checkpoint.js';
import { AuditFollower, type ForgottenOutcomes } from './follow-audit.js';
import { toBase64 } from './merkle.js';
import { Notary } from './notary.js';
import { type NoteSigner, type NoteVerifier, parseNote } from './note.js';
import { appendCheckpoints, lastBodies } from './top-tree.js';

export interface AuditWriterOptions {
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
  /** What became of records whose outcomes the graph has forgotten. */
  readonly replay?: ForgottenOutcomes;
}

const tellMsStandard = 600_000;
const passing: readonly ErrorCode[] = ['UNAVAILABLE', 'STORAGE_FULL', 'OVERLOADED'];

/**
 * The writing half of the audit: the trees that follow the log, and the notary that signs them now and then, and when
 * somebody wishes. It stops, and says why, when stored bytes contradict what was signed; writes and reads go on. A second
 * one on the same store with the same key is a hot standby: both steps that change something are a compare-and-swap.
 */
export class AuditWriter {
  /** Settles when the audit cannot go on. */
  readonly failed: Promise<VarveError>;
  readonly #options: Required<Omit<AuditWriterOptions, 'replay'>>;
  readonly #follower: AuditFollower;
  readonly #notary: Notary;
  readonly #failed = Promise.withResolvers<VarveError>();
  readonly #ending = new AbortController();
  /** Entries of each tree when the log was told of it last, by anyone, and when that was. */
  readonly #told: { size: number; at: number }[] = [];
  readonly #wished = new Set<number>();
  #onWished = () => {};
  #stopListening = () => {};
  #failure: VarveError | undefined;
  #signing: Promise<void> = Promise.resolve();

  private constructor(options: AuditWriterOptions) {
    const { log, store, signer, clock } = options;
    this.#options = { tellMs: tellMsStandard, ...options };
    this.failed = this.#failed.promise;
    this.#notary = new Notary(store, signer);
    for (let tree = 0; tree < log.partitionCount; tree += 1) this.#told.push({ size: 0, at: clock.now() });
    const onTold = (tree: number, size: number) => (this.#told[tree] = { size, at: clock.now() });
    this.#follower = new AuditFollower({ ...options, verifier: signer.verifier, onTold });
    void this.#follower.failure.then((error) => this.#fail(error));
  }

  /** @throws CONFIG_INVALID when the store is of another log, or another key signed its last checkpoint */
  static async start(options: AuditWriterOptions): Promise<AuditWriter> {
    const { store, log, signer } = options;
    await store.bind(log.id);
    if (signer.name !== logName(log.id)) {
      const message = `the audit key is of ${signer.name}; the log is ${logName(log.id)}: name the key file of this log in VARVE_AUDIT_KEY`;
      throw new VarveError('CONFIG_INVALID', message, { expected: logName(log.id), actual: signer.name });
    }
    const writer = new AuditWriter(options);
    for (let tree = 0; tree < log.partitionCount; tree += 1)
      await writer.#notary.checkKey(tree, originOf(log.id, tree));
    await store.introduce(signer.verifier.text);
    writer.#stopListening = store.onWish((tree) => writer.#hear(tree));
    writer.#follower.start();
    writer.#signing = writer.#signNowAndThen();
    return writer;
  }

  get verifier(): NoteVerifier {
    return this.#options.signer.verifier;
  }

  /** Why it does not go on. */
  failure(): VarveError | undefined {
    return this.#failure;
  }

  /** Signs a tree as it is: of a partition, or, for the number after the last one, all of them and the tree over all. */
  async sign(tree: number): Promise<void> {
    if (this.#failure) throw this.#failure;
    const { log } = this.#options;
    if (tree === log.partitionCount) return this.#signAll();
    await this.#notary.publish(tree, originOf(log.id, tree)).catch((error: unknown) => this.#refuse(error));
  }

  /** Leaves; the stores stay open. */
  async close(): Promise<void> {
    this.#ending.abort();
    this.#onWished();
    this.#stopListening();
    await this.#signing;
    await this.#follower.stop();
  }

  #hear(tree: number): void {
    if (!Number.isSafeInteger(tree) || tree < 0 || tree > this.#options.log.partitionCount) return;
    this.#wished.add(tree);
    this.#onWished();
  }

  async #signNowAndThen(): Promise<void> {
    const { intervalMs, store } = this.#options;
    let isAgain = false;
    for (let due = performance.now() + intervalMs; !this.#ending.signal.aborted && !this.#failure;) {
      await this.#pause(due - performance.now());
      if (this.#failure || this.#ending.signal.aborted) break;
      const isDue = performance.now() >= due;
      const wished = [...this.#wished];
      this.#wished.clear();
      try {
        if (isDue) await this.#signRound();
        else for (const tree of wished) await this.sign(tree);
        isAgain = false;
      } catch (error) {
        // A store that is away for a while comes back; one that just went back looks damaged once; what contradicts a
        // signature stays.
        const isPassing =
          isVarveError(error) && (passing.includes(error.code) || (error.code === 'CORRUPT' && !isAgain));
        isAgain = isVarveError(error, 'CORRUPT');
        if (!isPassing) this.#fail(error);
      }
      if (isDue) due = performance.now() + intervalMs;
    }
    // One with the wrong key is no reason for others to be alarmed.
    if (this.#failure && this.#failure.code !== 'CONFIG_INVALID')
      await store.raise(this.#failure).catch(() => undefined);
  }

  /** All trees; and whatever somebody was alarmed about has passed, or this one would have halted too. */
  async #signRound(): Promise<void> {
    const { store, signer } = this.#options;
    // A store that was emptied has forgotten it.
    if ((await store.key()) !== signer.verifier.text) await store.introduce(signer.verifier.text);
    await this.#signAll();
    if (await store.alarm()) await store.raise(undefined);
  }

  async #signAll(): Promise<void> {
    const { log, store } = this.#options;
    const bodies: string[] = [];
    for (let partition = 0; partition < log.partitionCount; partition += 1) {
      const note = await this.#notary
        .publish(partition, originOf(log.id, partition))
        .catch((error: unknown) => this.#refuse(error));
      await this.#tellLog(partition, note);
      bodies.push(parseNote(note)?.text ?? '');
    }
    if (log.partitionCount === 1) return;
    const top = log.partitionCount;
    const { entries: size } = await store.size(top);
    const known = new Set(await lastBodies(store, top, { size, count: 16 * top }));
    const fresh = bodies.filter((body) => !known.has(body));
    // What another one has appended, and has not come to sign, is signed here.
    if (fresh.length > 0) await appendCheckpoints(store, top, fresh);
    await this.#notary.publish(top, logName(log.id)).catch((error: unknown) => this.#refuse(error));
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

  async #pause(ms: number): Promise<void> {
    if (this.#wished.size > 0) return;
    const waited = new AbortController();
    this.#onWished = () => waited.abort();
    const signal = AbortSignal.any([waited.signal, this.#ending.signal]);
    await sleep(Math.max(0, ms), undefined, { signal }).catch(() => undefined);
    this.#onWished = () => {};
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
    // Whoever only reads must not wait for a signature that does not come.
    this.#onWished();
  }
}
