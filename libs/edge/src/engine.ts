import type { VarveError } from '#core/error';
import type { Auditor } from '#audit/auditor';
import type { GarbageReport } from '#collect/collect-all';
import type { Submitter } from '#history/submitter';
import type { LayerStore } from '#layer/layer-store';
import type { BlobStore } from '#ports/blob-store';
import type { EventLog } from '#ports/event-log';
import type { GraphReader } from '#ports/graph-store';
import type { JobQueue } from '#ports/job-queue';
import type { GraphComparison } from '#projection/compare-graph';
import type { Rebuilt } from '#projection/rebuild';
import type { TreeStore } from '#union/tree-store';

/**
 * What the doors lead to: the ports and the stages' connections, opened and closed by wiring. Every function of a
 * stage takes the two or three it uses.
 */
export interface Engine {
  readonly version: string;
  /** Written to by the submitter alone, and by a copy of another log before there is anything in it. */
  readonly log: Omit<EventLog, 'close'>;
  readonly graph: GraphReader;
  readonly blobs: BlobStore;
  readonly layers: LayerStore;
  readonly trees: TreeStore;
  readonly submitter: Submitter;
  /** The trees over the log and their signatures; undefined in a process that leaves them to another. */
  readonly audit?: Auditor | undefined;
  readonly jobs: JobQueue;
  /** Why the graph does not follow the log any more, and nothing may be written; undefined while it does. */
  failure(): Error | undefined;
  /** Why nothing may be read either: the graph shows less than it has shown. NOT_PROJECTED; undefined while it does not. */
  behind(): VarveError | undefined;
  /** Makes the graph again from the log, beside the one in use, and compares. */
  rebuild(): Promise<Rebuilt>;
  /** Replays the log beside the graph in use, and tells every row that differs. One at a time, and not during a rebuild. @throws OVERLOADED, LOG_TRUNCATED */
  compareGraph(): AsyncGenerator<GraphComparison>;
  /** Removes what nothing names from the blob store, what comes from nothing, and what belongs to nobody. One run at a time. @throws OVERLOADED, and as `collect` does */
  collect(options: {
    readonly dryRun: boolean;
    readonly adopt?: boolean;
    readonly signal?: AbortSignal;
  }): Promise<GarbageReport>;
  /** The log is the one the graph was made from, as far as the graph goes. @throws LOG_TRUNCATED */
  checkLog(): Promise<void>;
}

/** The injection token of the engine. */
export const ENGINE = Symbol('engine');
