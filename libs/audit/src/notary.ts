import { VarveError } from '#core/error';
import type { AuditStore } from '#ports/audit-store';
import { type Checkpoint, openCheckpoint, signCheckpoint } from './checkpoint.js';
import { consistencyProof, isConsistent, rootOf } from './merkle.js';
import type { NoteSigner } from './note.js';
import { hashReader } from './read-hashes.js';

/**
 * The one who has the key. It signs what the store holds only after it has shown to itself that what it signed last is
 * the beginning of that, and publishes by compare-and-swap on the last one: so no two of its checkpoints contradict each
 * other, however many of it run. @see C2SP tlog-checkpoint, design 8 I14
 */
export class Notary {
  readonly #store: AuditStore;
  readonly #signer: NoteSigner;

  constructor(store: AuditStore, signer: NoteSigner) {
    this.#store = store;
    this.#signer = signer;
  }

  /**
   * Signs the tree as it is, and returns the last checkpoint, which is an older one when nothing is new.
   * @throws CHECKPOINT_FORKED when the tree contradicts the last one; CONFIG_INVALID when another key signed that
   */
  async publish(tree: number, origin: string): Promise<string> {
    for (;;) {
      const before = await this.#store.checkpoint(tree);
      const last = before === undefined ? undefined : this.#ownCheckpoint(before, origin);
      const { entries: size } = await this.#store.size(tree);
      // The trees may have been lost and are being made again; until they are there, nothing can be compared.
      if (before !== undefined && last && size < last.size) return before;
      if (before !== undefined && last && last.size === size) {
        await this.#check(tree, last, { ...last, root: await rootOf(size, hashReader(this.#store, tree)) });
        return before;
      }
      const next = { origin, size, root: await rootOf(size, hashReader(this.#store, tree)) };
      if (last) await this.#check(tree, last, next);
      const note = signCheckpoint(next, this.#signer);
      if (await this.#store.publish(tree, before, note)) return note;
    }
  }

  /** @throws CONFIG_INVALID when another key signed the last checkpoint */
  async checkKey(tree: number, origin: string): Promise<void> {
    const note = await this.#store.checkpoint(tree);
    if (note !== undefined) this.#ownCheckpoint(note, origin);
  }

  #ownCheckpoint(note: string, origin: string): Checkpoint {
    try {
      return openCheckpoint(note, this.#signer.verifier);
    } catch (cause) {
      const message = `the last checkpoint of ${origin} was signed by another key than ${this.#signer.verifier.text}: restore the key file, or name it in VARVE_AUDIT_KEY`;
      throw new VarveError('CONFIG_INVALID', message, { origin }, { cause });
    }
  }

  async #check(tree: number, last: Checkpoint, next: Checkpoint): Promise<void> {
    const proof = last.size > 0 ? await consistencyProof(last.size, next.size, hashReader(this.#store, tree)) : [];
    if (isConsistent(last, next, proof)) return;
    const message = `the audit tree of ${next.origin} has ${next.size} entries that do not continue the checkpoint of ${last.size} which was signed: stored bytes were changed. Nothing is signed; restore the event log and the audit store`;
    throw new VarveError('CHECKPOINT_FORKED', message, { origin: next.origin, signed: last.size, size: next.size });
  }
}
