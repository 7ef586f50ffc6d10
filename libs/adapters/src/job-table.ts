import type { Job, JobId, JobState, Tarball, TarballKey } from '#core/job';
import type { JobPlace } from '#ports/job-queue';

/** What a queue of leases keeps, and the few atomic steps on it. Times are milliseconds since 1970. */
export interface JobTable {
  read(id: JobId): Promise<Job | undefined>;
  /** Waiting or running, and due by `now`: those that are due longest first. Each as it was when it was due. */
  due(now: number, limit: number): Promise<readonly Job[]>;
  list(page: {
    readonly state?: JobState | undefined;
    readonly after?: JobPlace | undefined;
    readonly limit: number;
  }): Promise<readonly Job[]>;
  /** In any of the states, and unchanged since before `before`. */
  unchanged(states: readonly JobState[], before: number, limit: number): Promise<readonly Job[]>;
  /** Replaces the job if it is, byte for byte, still as it was read; and tells the listeners. */
  swap(step: JobSwap): Promise<Swapped>;
  onChanged(listener: (id: JobId) => void): () => void;

  tarball(name: string): Promise<KeptTarball | undefined>;
  /** Kept until `pinnedUntil` at least. False: there is none under this name. */
  pin(name: string, pinnedUntil: number): Promise<boolean>;
  touch(name: string, usedAt: number): Promise<void>;
  /** By last use, those longest unused first; only those behind `after`. */
  unused(after: Pick<KeptTarball, 'usedAt' | 'tarball'> | undefined, limit: number): Promise<readonly KeptTarball[]>;
  tarballBytes(): Promise<number>;
  /** Removes the pointer and makes its bytes due, unless it is pinned or another one by now. False: nothing was done. */
  unpublish(tarball: Tarball, now: number, dueAt: number): Promise<boolean>;

  /** One that is there becomes due later, never sooner; one that is taken, or named by a pointer, stays as it is. */
  discard(key: TarballKey, dueAt: number): Promise<void>;
  isDiscarded(key: TarballKey): Promise<boolean>;
  /** Discards that are due. From now on none of them can be published. */
  takeDue(now: number, limit: number): Promise<readonly TarballKey[]>;
  forget(key: TarballKey): Promise<void>;

  close(): Promise<void>;
}

/** One atomic step: the job, and the pointer that its end puts. */
export interface JobSwap {
  readonly before: Job | undefined;
  /** Undefined: the job is forgotten. */
  readonly after: Job | undefined;
  /** Put only if there is none under its name, and if its key is discarded and not taken; it is no discard then. */
  readonly publish?: Tarball;
  /** Of what is published. */
  readonly pinnedUntil?: number;
}

/** `changed`: the job is not as it was read. `taken`: there is a tarball of this name. `gone`: the key is no discard any more. */
export type Swapped = 'swapped' | 'changed' | 'taken' | 'gone';

export interface KeptTarball {
  readonly tarball: Tarball;
  readonly usedAt: number;
  readonly pinnedUntil: number;
}

/** Those in this process who want to know which jobs changed. */
export class JobListeners {
  readonly #listeners = new Set<(id: JobId) => void>();

  add(listener: (id: JobId) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(id: JobId): void {
    for (const listener of this.#listeners) listener(id);
  }
}
