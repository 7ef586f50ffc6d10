import type { Actor } from '#core/event';
import type { Outcome } from '#core/graph-row';
import type { Position } from '#core/position';

/** Who writes, why, and how a retry of it is known again. Comes from the edge, the same for every write. */
export interface WriteContext {
  readonly actor: Actor;
  /** Shown by the reflog; at most `limit.commitTextBytesMax`. */
  readonly reason: string;
  /**
   * The same key means the same write, on any instance, until its outcome is forgotten: with the third garbage
   * collection after it, so for two days or more where there is one a day. Null: every call is a write of its own.
   */
  readonly idempotencyKey: string | null;
  /** Digest (hex) of the request, to tell a retry from another request under the same key. */
  readonly request: string | null;
  /** The id of the request, as its answer and the server's log name it. */
  readonly requestId?: string | undefined;
  /** Ends the waiting, not the write: what is in the log already may still take effect. */
  readonly signal?: AbortSignal | undefined;
}

/** A write that took effect and that every query at `position` shows. Without a move or a commit nothing had to change. */
export interface Written {
  readonly position: Position;
  readonly outcome: Extract<Outcome, { type: 'accepted' }>;
  /** An earlier call with the same idempotency key did it. */
  readonly replayed: boolean;
}
