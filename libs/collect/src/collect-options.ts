import type { BlobStore } from '#ports/blob-store';
import type { Clock } from '#ports/clock';
import type { EventLog } from '#ports/event-log';
import type { GraphReader } from '#ports/graph-store';

/** What a collector works on. Any number of them may, side by side with everything else. */
export interface CollectStores {
  readonly log: EventLog;
  readonly graph: GraphReader;
  readonly blobs: BlobStore;
  /** Only tells how old a stored copy is, which decides nothing about safety. */
  readonly clock: Clock;
  /** So many unpredictable bytes. */
  readonly random: (sizeBytes: number) => Uint8Array;
}

export interface CollectOptions {
  /** Copies that were stored later than this long ago are left alone; 0 takes all. Patience, not safety. */
  readonly graceMs: number;
  /** Tells what would be removed; appends and deletes nothing. */
  readonly dryRun?: boolean;
  /** How long a record's outcome is waited for. */
  readonly outcomeWaitMs?: number;
  readonly signal?: AbortSignal | undefined;
}
