import type { Job, JobFailure, JobId, JobProgress, JobState, RootfsWish, Tarball, TarballKey } from '#core/job';

/** What became of a wish: the tarball lies ready, or there is a job for it, new or not. */
export type Ensured =
  | { readonly type: 'ready'; readonly tarball: Tarball }
  | { readonly type: 'job'; readonly job: Job };

/** The job a worker holds, and the fence that proves it. */
export interface Held {
  readonly id: JobId;
  readonly fence: number;
}

/** `lost`: somebody else holds the job, or nobody. `cancelled`: end the work, and tell with `release`. */
export type Hold = 'held' | 'cancelled' | 'lost';

/** Not published: whoever made it deletes it. `other` lies ready under the name; without it the lease or the key was lost. */
export type Completed = { readonly isPublished: true } | { readonly isPublished: false; readonly other?: Tarball };

/** A place in the list of jobs. */
export type JobPlace = Pick<Job, 'id' | 'changedAt'>;

/**
 * Wishes for tarballs that can be made again, the leases of those who make them, and the pointers to what is made. Losing
 * all of it loses no history: whoever wants a tarball asks again. Every operation is one atomic step. Leases save work,
 * they guard nothing: two workers on one job write the same bytes, and the pointer is put once.
 * @see event-log 3.2
 */
export interface JobQueue {
  /** The tarball or its one job. A job that is over is begun again, but for `dead`, and `failed` within the last minute. */
  ensure(wish: RootfsWish): Promise<Ensured>;

  /** The job that is due longest, under a lease of 30 s; undefined when there is none. Ends leases that ran out. */
  claim(worker: string): Promise<Job | undefined>;
  /** Makes the lease 30 s long again. */
  renew(held: Held): Promise<Hold>;
  /** Replaces the progress told last; renews nothing. */
  progress(held: Held, progress: JobProgress): Promise<Hold>;
  /**
   * Puts the pointer if there is none under this name, and ends the job. Only for a key that was told to `discard` and
   * that `due` has not given out; it is not due any more then. A lost lease publishes nothing.
   */
  complete(held: Held, tarball: Tarball): Promise<Completed>;
  /** Permanent: `failed`. Else it waits 1 s · 2^n, at most 5 min, with full jitter; after 6 tries it is `dead`. */
  fail(held: Held, failure: JobFailure, isPermanent: boolean): Promise<Hold>;
  /** Gives the job back: to the next worker, or it is `cancelled` if somebody asked for that. */
  release(held: Held): Promise<Hold>;

  /** At once when it waits; a running job is told, and ends soon. No effect on one that is over. Undefined: no such job. */
  cancel(id: JobId): Promise<Job | undefined>;
  /** A job that is over and not done waits again, with all its tries. No effect on others. Undefined: no such job. */
  retry(id: JobId): Promise<Job | undefined>;
  get(id: JobId): Promise<Job | undefined>;
  /** Changed last first, at most `limit`; of one state or of all; only those behind `after`. */
  list(page: {
    readonly state?: JobState | undefined;
    readonly after?: JobPlace | undefined;
    readonly limit: number;
  }): Promise<readonly Job[]>;
  /** Calls after a job changed, in this process or (where the queue can) in all. Lossy: poll as well. */
  onChanged(listener: (id: JobId) => void): () => void;

  /** The tarball under a name. Counts as a use of it, noted at most every 5 min. */
  tarball(name: string): Promise<Tarball | undefined>;
  /** Keeps the tarball until then, milliseconds since 1970: a download runs. False: there is none under this name. */
  pin(name: string, until: number): Promise<boolean>;
  /** Every tarball that lies ready. */
  tarballs(): AsyncIterable<Tarball>;
  /**
   * Removes pointers, longest unused first, until the rest has at most so many bytes; the bytes are due 15 min later. What
   * is pinned stays, and what was published within 5 min.
   */
  evict(budgetBytes: number): Promise<readonly Tarball[]>;

  /** Withdraws a pointer whose bytes turned out to be missing, also a pinned one. Another one under the name stays. */
  withdraw(tarball: Tarball): Promise<void>;

  /**
   * Lets the bytes of a try be due for deletion then, or later if they were due later. Tell it before they are visible.
   * No effect on what a pointer names.
   */
  discard(key: TarballKey, dueAt: number): Promise<void>;
  isDiscarded(key: TarballKey): Promise<boolean>;
  /** What is to be deleted now, at most `limit`. It stays due until it is forgotten, and can be published no more. */
  due(limit: number): Promise<readonly TarballKey[]>;
  forget(key: TarballKey): Promise<void>;

  /** Forgets jobs that have been over for longer than they are kept. Returns how many. */
  prune(): Promise<number>;
  close(): Promise<void>;
}
