import type { CommitId } from './commit.js';
import type { Digest, DiffId } from './digest.js';
import type { RefName, RepositoryName } from './name.js';
import type { RefUpdate } from './ref.js';

/** Who asks. `verified` is false until access control exists; `edge` is the one place an actor comes from. */
export interface Actor {
  readonly name: string;
  readonly verified: boolean;
}

/** A blob that a proposal names: stored before the event. For a layer, also its diffID and the bytes of its tar. */
export interface NamedBlob {
  readonly digest: Digest;
  readonly size: number;
  readonly incarnation: string;
  readonly mediaType: string;
  readonly layer: { readonly diffId: DiffId; readonly tarBytes: number } | null;
}

/** What a ref move was for; shown by the reflog. */
export type RefOperation =
  | 'init'
  | 'load'
  | 'commit'
  | 'branch'
  | 'tag'
  | 'reset'
  | 'rollback'
  | 'delete'
  | 'restore'
  | 'update';

interface Proposed {
  /** The transaction: 64 hex when made from an idempotency key, else 32 hex of randomness. */
  readonly txid: string;
  readonly repo: RepositoryName;
  readonly actor: Actor;
  /** Digest (hex) of the request that made this, to tell a retry from another request under the same key. */
  readonly request: string | null;
  /** The id of the request, as its answer and the server's log name it; absent in records of writers that had none. */
  readonly requestId?: string | undefined;
  /** The last GC fence the proposer had seen. */
  readonly gcEpoch: number;
}

interface Proposes extends Proposed {
  readonly operation: RefOperation;
  readonly reason: string;
  /** Canonical bytes of new commits, parents before children. */
  readonly commits: readonly Uint8Array[];
  readonly blobs: readonly NamedBlob[];
  readonly updates: readonly RefUpdate[];
}

export interface RepositoryCreate extends Proposes {
  readonly type: 'repo.create.v1';
  readonly defaultBranch: RefName;
}
export interface CommitBatch extends Proposes {
  readonly type: 'commit.batch.v1';
}
export interface RefUpdateProposal extends Proposes {
  readonly type: 'ref.update.v1';
}
export interface TransactionCancel extends Proposed {
  readonly type: 'tx.cancel.v1';
  readonly target: string;
  /** The last GC fence that the proposer of the target had seen: says whether a missing outcome is one that was forgotten. */
  readonly targetEpoch: number;
}
export interface RulesActivate {
  readonly type: 'rules.activate.v1';
  readonly txid: string;
  readonly rules: number;
}
export interface GcFence {
  readonly type: 'gc.fence.v1';
  readonly txid: string;
  /** The last fence the collector had seen in this partition. */
  readonly gcEpoch: number;
  /** The collection: however many fences it needs, the first of them begins an epoch. */
  readonly gcId: string;
  readonly blobs: readonly { readonly digest: Digest; readonly incarnation: string }[];
}
/** What a notary has signed, told to the log itself: a log that was changed below it no longer has this root. @see event-log 5.3 */
export interface CheckpointRecord {
  readonly type: 'checkpoint.v1';
  readonly txid: string;
  readonly origin: string;
  readonly size: number;
  /** base64 */
  readonly root: string;
  /** The signed note. */
  readonly note: string;
}
export interface BlobSwept {
  readonly type: 'blob.swept.v1';
  readonly txid: string;
  readonly gcEpoch: number;
  readonly gcId: string;
  readonly blobs: readonly { readonly digest: Digest; readonly incarnation: string }[];
}

/** What moves history: decided by the fold. */
export type Proposal = RepositoryCreate | CommitBatch | RefUpdateProposal;

/** The closed union of what may stand in the log under rule set 1. @see event-log.md 1.4, 1.6, 5.1 */
export type Event = Proposal | TransactionCancel | RulesActivate | GcFence | BlobSwept | CheckpointRecord;

/** One record as the log gave it. `time` is the log's own, milliseconds since 1970. */
export interface LogRecord {
  readonly offset: number;
  readonly time: number;
  readonly bytes: Uint8Array;
}

/** Where a record stood before its log was copied into this one. @see event-log 1.5 */
export interface ImportedFrom {
  readonly log: string;
  readonly partition: number;
  readonly offset: number;
  /** That log's own, milliseconds since 1970. */
  readonly time: number;
}

/** The parts of a commit's id and of a ref that an accepted transaction made. */
export interface AcceptedMove {
  readonly ref: RefName;
  readonly commit: CommitId | null;
  readonly version: number;
}
