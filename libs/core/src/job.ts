import type { CommitId } from './commit.js';
import type { ChainId, Digest } from './digest.js';
import type { ErrorCode } from './error.js';
import type { RepositoryName } from './name.js';

/** The forms in which a root filesystem can lie ready as a file. */
export const rootfsFormats = ['tar', 'tar.gz', 'tar.zst'] as const;
export type RootfsFormat = (typeof rootfsFormats)[number];

/** 32 hex digits, made from the name of the tarball alone: who wants the same one finds the same job. */
export type JobId = string & { readonly __brand: 'JobId' };

/**
 * A tarball that somebody wants to lie ready. `name` says its bytes completely (the stack, the versions of the rules, of
 * the writer and of the compressor), so equal names are equal bytes; `repo` and `commit` are where the worker finds them.
 */
export interface RootfsWish {
  readonly name: string;
  readonly repo: RepositoryName;
  readonly commit: CommitId;
  readonly chainId: ChainId;
  readonly format: RootfsFormat;
}

/**
 * `waiting` for a worker (again, after a backoff), `running` under a lease, `done`; `failed` for good, and asked for again
 * it would fail again; `dead`: set aside after too many tries or lost workers until somebody retries it; `cancelled`.
 */
export const jobStates = ['waiting', 'running', 'done', 'failed', 'dead', 'cancelled'] as const;
export type JobState = (typeof jobStates)[number];

/** Why a try did not succeed. */
export interface JobFailure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** How far a try is, in bytes of the plain tar; `totalBytes` is null until the tree is planned. */
export interface JobProgress {
  readonly phase: 'planning' | 'writing' | 'verifying';
  readonly doneBytes: number;
  readonly totalBytes: number | null;
}

/** One job as it is kept. Times are milliseconds since 1970. */
export interface Job {
  readonly id: JobId;
  readonly wish: RootfsWish;
  readonly state: JobState;
  readonly createdAt: number;
  /** When it came into this state, or back into it. */
  readonly changedAt: number;
  /** Grows with every claim. Who comes with an older one does not hold the job any more. */
  readonly fence: number;
  /** Who runs it or ran it last; null before the first claim. */
  readonly worker: string | null;
  /** `waiting`: not before; `running`: the lease ends; else null. */
  readonly dueAt: number | null;
  /** Tries that ended in an error that may pass. */
  readonly attempts: number;
  /** Workers that fell silent while they held it. */
  readonly lostLeases: number;
  readonly lastFailure: JobFailure | null;
  readonly isCancelRequested: boolean;
  readonly progress: JobProgress | null;
}

/** A finished tarball: whole, verified, and found only through this pointer. */
export interface Tarball extends TarballKey {
  readonly name: string;
  readonly sizeBytes: number;
  /** sha256 of its bytes, compressed as they are. */
  readonly digest: Digest;
  readonly createdAt: number;
}

/** Where the blob store holds what one try made, and the version of the writer. Every try has a key of its own. */
export interface TarballKey {
  readonly key: Digest;
  readonly version: number;
}
