import type { Job, JobFailure, JobId, JobProgress, JobState, RootfsObject, RootfsWish } from '#core/job';

/** What became of a wish: the object lies ready, or there is a job for it, new or not. */
export type Ensured =
  | { readonly type: 'ready'; readonly object: RootfsObject; readonly job: Job | undefined }
  | { readonly type: 'job'; readonly job: Job };

/** The job a worker holds, and the fence that proves it. */
export interface Held {
  readonly id: JobId;
  readonly fence: number;
}

/** `lost`: somebody else holds the job, or nobody. `cancelled`: end the work, and tell with `release`. */
export type Hold = 'held' | 'cancelled' | 'lost';

/** `published`: the pointer names this object. Else its maker removes it: another one lies ready, or the lease is lost. */
export type Completed = { readonly isPublished: true } | { readonly isPublished: false; readonly other?: RootfsObject };

/** An object in the blob store that no pointer names, or soon none: its key and the version of the writer. */
export type ObjectKey = Pick<RootfsObject, 'key' | 'version'>;

/**
 * Wishes for objects that can be made again, the leases of those who make them, and the pointers to what is made. Losing
 * all of it loses no history: whoever wants an object asks again. Every operation is one atomic step. Leases save work,
 * they do not guard anything: two workers on one job write the same bytes, and the pointer is put once.
 * @see event-log 3.2
 */
export interface JobQueue {
  /** The object or its one job. A job that is over is begun again, but for `dead`, and `failed` within the last minute. */
  ensure(wish: RootfsWish): Promise<Ensured>;

  /** The job that waits longest and is due, under a lease of 30 s; undefined when there is none. Ends leases that ran out. */
  claim(worker: string): Promise<Job | undefined>;
  /** Makes the lease 30 s long again. */
  renew(held: Held): Promise<Hold>;
  /** Replaces the progress told last; renews nothing. */
  progress(held: Held, progress: JobProgress): Promise<Hold>;
  /**
   * Puts the pointer if there is none under this name, and ends the job. Only for a key that was `discard`ed before, and
   * not given out by `due` since; that takes it back. A lost lease publishes nothing.
   */
  complete(held: Held, object: RootfsObject): Promise<Completed>;
  /** Permanent: `failed`. Else it waits 1 s · 2^n, at most 5 min, with full jitter; after 6 tries it is `dead`. */
  fail(held: Held, failure: JobFailure, isPermanent: boolean): Promise<Hold>;
  /** Gives the job back as it was claimed: to the next worker, or `cancelled` if that was asked for. */
  release(held: Held): Promise<Hold>;

  /** At once when it waits; a running job is told, and ends soon. No effect on one that is over. Undefined: no such job. */
  cancel(id: JobId): Promise<Job | undefined>;
  /** A job that is over and not done waits again, with all tries. No effect on others. Undefined: no such job. */
  retry(id: JobId): Promise<Job | undefined>;
  get(id: JobId): Promise<Job | undefined>;
  /** Changed last first, at most `limit`; only those changed before `before`, in milliseconds since 1970. */
  list(page: { readonly state?: JobState; readonly before?: number; readonly limit: number }): Promise<readonly Job[]>;
  /** Calls after a job changed, in this process or (where the queue can) in all. Lossy: poll as well. */
  onChanged(listener: (id: JobId) => void): () => void;

  /** The pointer under a name. Counts as an access, noted at most every 5 min. */
  object(name: string): Promise<RootfsObject | undefined>;
  /** Keeps the pointer and its object until then, milliseconds since 1970: a download runs. */
  pin(name: string, until: number): Promise<void>;
  /** Every pointer, for those who look for objects without one. */
  objects(): AsyncIterable<RootfsObject>;
  /** Removes pointers, longest unused first, until those left have at most so many bytes. Their objects are due 15 min later. */
  evict(budgetBytes: number): Promise<readonly RootfsObject[]>;
  /** Makes an object due then, unless it is so already or `complete` takes it back. Told before the first byte is visible. */
  discard(object: ObjectKey, dueAt: number): Promise<void>;
  /** Objects to delete now, at most `limit`. They stay due until they are forgotten, and can no more be published. */
  due(limit: number): Promise<readonly ObjectKey[]>;
  isDiscarded(object: ObjectKey): Promise<boolean>;
  forget(object: ObjectKey): Promise<void>;

  /** Forgets jobs that have been over for longer than they are kept. Returns how many. */
  prune(): Promise<number>;
  close(): Promise<void>;
}
