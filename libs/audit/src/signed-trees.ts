import { setTimeout as sleep } from 'node:timers/promises';
import { VarveError } from '#core/error';
import type { AuditStore } from '#ports/audit-store';
import type { AuditWriter } from './audit-writer.js';
import { openCheckpoint } from './checkpoint.js';
import { type NoteVerifier, parseNote, parseVerifier } from './note.js';
import type { PublishedTree } from './prove.js';
import { newestSizes } from './top-tree.js';

/** The notary of another process answers wishes at once; this is for one that is busy, or is being started again. */
const signatureMsStandard = 10_000;
const lookMsMin = 2;
const lookMsMax = 250;

export interface SignedTreesOptions {
  readonly store: AuditStore;
  /** Who signs, when that is this process. */
  readonly writer?: Pick<AuditWriter, 'failure' | 'verifier'> | undefined;
  /** How long a signature of another process is waited for. */
  readonly signatureMs?: number | undefined;
}

/** What is signed of the trees of a log, for those who may not have the key: they wish for what is not signed yet. */
export class SignedTrees {
  readonly #options: SignedTreesOptions;
  #verifier: NoteVerifier | undefined;

  constructor(options: SignedTreesOptions) {
    this.#options = options;
    this.#verifier = options.writer?.verifier;
  }

  /** @throws NOT_PROJECTED as long as nobody has signed anything */
  async verifier(): Promise<NoteVerifier> {
    if (this.#verifier) return this.#verifier;
    const key = await this.#options.store.key();
    if (key !== undefined) return (this.#verifier = parseVerifier(key));
    throw new VarveError('NOT_PROJECTED', 'nothing of this log has been signed yet: is a notary running?');
  }

  /** The last one, whatever it has. */
  async last(tree: number): Promise<PublishedTree | undefined> {
    const checkpoint = await this.#options.store.checkpoint(tree);
    if (checkpoint === undefined) return undefined;
    return { tree, checkpoint, size: openCheckpoint(checkpoint, await this.verifier()).size };
  }

  /** The same, where there is one. @throws NOT_PROJECTED */
  async newest(tree: number): Promise<PublishedTree> {
    const last = await this.last(tree);
    if (last) return last;
    throw unsigned(tree);
  }

  /** One with so many entries, from another process. @throws NOT_PROJECTED; what that stopped with */
  async upTo(tree: number, size: number): Promise<PublishedTree> {
    return this.#wishUntil(tree, async () => {
      const last = await this.last(tree);
      return last && last.size >= size ? last : undefined;
    });
  }

  /** The tree over all, with these or later ones of every partition in it, from another process. @throws as `upTo` */
  async overAll(published: readonly PublishedTree[]): Promise<PublishedTree> {
    const { store } = this.#options;
    const top = published.length;
    const wanted = published.map(({ checkpoint, size }) => ({ origin: originIn(checkpoint), size }));
    return this.#wishUntil(top, async () => {
      const last = await this.last(top);
      if (!last) return undefined;
      const newest = await newestSizes(store, top, { size: last.size, count: 16 * top });
      return wanted.every(({ origin, size }) => (newest.get(origin) ?? -1) >= size) ? last : undefined;
    });
  }

  /** @throws why the writing half has stopped */
  async refuseWhenStopped(): Promise<void> {
    const { writer, store } = this.#options;
    const failure = writer?.failure();
    if (failure) throw failure;
    const alarm = writer ? undefined : await store.alarm();
    if (alarm) throw new VarveError(alarm.code, alarm.message);
  }

  async #wishUntil(tree: number, look: () => Promise<PublishedTree | undefined>): Promise<PublishedTree> {
    const deadline = AbortSignal.timeout(this.#options.signatureMs ?? signatureMsStandard);
    for (let waitMs = lookMsMin; ; waitMs = Math.min(2 * waitMs, lookMsMax)) {
      await this.refuseWhenStopped();
      const found = await look();
      if (found) return found;
      if (deadline.aborted) throw unsigned(tree);
      await this.#options.store.wish(tree);
      await sleep(waitMs);
    }
  }
}

function unsigned(tree: number): VarveError {
  const message = `audit tree ${tree} has not been signed up to now: is a notary running? Ask again`;
  return new VarveError('NOT_PROJECTED', message, { tree });
}

function originIn(checkpoint: string): string {
  return parseNote(checkpoint)?.text.split('\n')[0] ?? '';
}
