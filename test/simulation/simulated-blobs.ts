import { openMemoryBlobStore } from '#adapters/memory/memory-blob-store';
import { digestOf } from '#core/digest';
import { VarveError } from '#core/error';
import {
  type BlobAddress,
  type BlobReader,
  type BlobStore,
  type DerivedAddress,
  isDerived,
  type StagedBlob,
  type StoredBlob,
} from '#ports/blob-store';
import type { Actor, Scheduler } from './scheduler.js';

/** Nobody of a simulation makes something of bytes. */
const unused = openMemoryBlobStore();
type Held = StoredBlob & { readonly bytes: Buffer };

const listedAtOnceMax = 3;
const slowMsMax = 900;

/**
 * The one blob store, with the network before it: calls fail before or after they took effect; slow ones take effect
 * whatever has become of who made them; a listing shows each page as it is when it is asked for.
 */
export class SimulatedBlobs {
  isFaulty = true;
  /** Calls that will still take effect, whoever made them. */
  late = 0;
  /** How many copies are gone. */
  deleted = 0;
  /** Is told before a copy is deleted. */
  onDelete: (copy: BlobAddress) => void = () => undefined;
  readonly #scheduler: Scheduler;
  readonly #held = new Map<string, Held>();

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  get copies(): readonly StoredBlob[] {
    return [...this.#held.values()];
  }

  holds(copy: BlobAddress): boolean {
    return this.#held.has(nameOf(copy));
  }

  portOf(actor: Actor): BlobStore {
    return {
      stageDerived: () => unused.stageDerived(),
      derived: (kind) => unused.derived(kind),
      staged: () => unused.staged(),
      sweepStaging: () => unused.sweepStaging(),
      stageBlob: async () => this.#stage(actor),
      open: async (address) =>
        readerOf(await this.#called(actor, `opens ${nameOf(address)}`, () => this.#find(address))),
      stat: (address) =>
        this.#called(actor, `looks for ${nameOf(address)}`, () => this.#held.get(nameOf(address))?.size),
      delete: (address) => this.#called(actor, `deletes ${nameOf(address)}`, () => this.#delete(address)),
      blobs: (after) => this.#list(actor, after),
      close: async () => undefined,
    };
  }

  #stage(actor: Actor): StagedBlob {
    const pieces: Uint8Array[] = [];
    const staged = () => Buffer.concat(pieces);
    return {
      write: async (bytes) => void pieces.push(Buffer.from(bytes)),
      finish: async () => ({ digest: digestOf(staged()), size: staged().length }),
      seal: () => this.#called(actor, 'seals', () => this.#store(staged())),
      discard: async () => undefined,
    };
  }

  #store(bytes: Buffer): BlobAddress {
    const { pick, now } = this.#scheduler;
    const incarnation = (pick(2 ** 32) * 2 ** 20 + pick(2 ** 20)).toString(16).padStart(13, '0');
    const copy = { digest: digestOf(bytes), incarnation };
    this.#held.set(nameOf(copy), { ...copy, size: bytes.length, modifiedAt: now, bytes });
    this.#scheduler.note(`${nameOf(copy)} is stored`);
    return copy;
  }

  #find(address: BlobAddress | DerivedAddress): Held {
    const held = this.#held.get(nameOf(address));
    if (!held) throw new VarveError('BLOB_UNKNOWN', `the store does not hold ${nameOf(address)}`, { address });
    return held;
  }

  #delete(address: BlobAddress | DerivedAddress): void {
    if (!isDerived(address)) this.onDelete(address);
    if (this.#held.delete(nameOf(address))) this.deleted += 1;
    this.#scheduler.note(`${nameOf(address)} is gone`);
  }

  async *#list(actor: Actor, after: BlobAddress | undefined): AsyncGenerator<StoredBlob> {
    for (let last = after && nameOf(after); ;) {
      const from = last;
      const page = await this.#called(actor, 'lists', () => this.#page(from));
      yield* page;
      const end = page.at(-1);
      if (!end) return;
      last = nameOf(end);
    }
  }

  #page(after: string | undefined): StoredBlob[] {
    const names = [...this.#held.keys()].filter((name) => after === undefined || name > after).toSorted();
    const some = names.slice(0, 1 + this.#scheduler.pick(listedAtOnceMax));
    return some.flatMap((name) => this.#held.get(name) ?? []);
  }

  /** A request that may be lost or late, its effect, and an answer that may be lost or late. */
  async #called<T>(actor: Actor, label: string, call: () => T): Promise<T> {
    await this.#scheduler.turn(actor, label);
    if (this.#hits(25)) throw new VarveError('UNAVAILABLE', 'the blob store does not answer');
    if (!this.#hits(6)) return call();
    const answer = await this.#slowly(call);
    await this.#scheduler.turn(actor, `${label}: answer`);
    if (this.#hits(3)) throw new VarveError('UNAVAILABLE', 'the answer of the blob store is lost');
    return answer;
  }

  async #slowly<T>(call: () => T): Promise<T> {
    this.late += 1;
    await this.#scheduler.sleep(this.#scheduler.pick(slowMsMax));
    this.late -= 1;
    return call();
  }

  #hits(n: number): boolean {
    return this.isFaulty && this.#scheduler.chance(n);
  }
}

/** What is being read goes on being read. */
function readerOf({ bytes }: Held): BlobReader {
  return {
    size: bytes.length,
    read: async (target, position) => bytes.copy(target, 0, position, position + target.length),
    close: async () => undefined,
  };
}

/** Sorts as the addresses do. */
function nameOf(address: BlobAddress | DerivedAddress): string {
  return isDerived(address) ? `${address.kind} ${address.key}` : `${address.digest} ${address.incarnation}`;
}
