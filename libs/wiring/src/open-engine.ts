import { randomBytes } from 'node:crypto';
import { type FolderLock, lockFolder } from '#adapters/sqlite/folder-lock';
import { isVarveError, type VarveError } from '#core/error';
import type { Engine } from '#edge/engine';
import { Submitter } from '#history/submitter';
import { LayerStore } from '#layer/layer-store';
import type { BlobStore } from '#ports/blob-store';
import type { EventLog } from '#ports/event-log';
import type { GraphStore } from '#ports/graph-store';
import { compareGraph } from '#projection/compare-graph';
import { checkContinuity } from '#projection/continue-log';
import { Projector } from '#projection/follow';
import { rebuild } from '#projection/rebuild';
import { TreeCheckpoints } from '#union/tree-checkpoints';
import { TreeStore } from '#union/tree-store';
import type { Config } from './config.js';
import { OneAtATime } from './one-at-a-time.js';
import { foldersOf, openBlobStore, openEventLog, openGraph } from './locations.js';
import { systemClock } from './system-clock.js';
import { version } from './version.js';

/** An engine that runs, and how it ends. */
export interface RunningEngine {
  readonly engine: Engine;
  /** Settles, with the reason, when the graph stops following the log; never if it does not. */
  readonly failed: Promise<VarveError>;
  /** How many staged uploads of earlier processes were swept. */
  readonly swept: number;
  /** Lets the records in the log be projected and closes everything, the folders last. */
  close(): Promise<void>;
}

/**
 * Takes the folders, opens the stores, sweeps what earlier processes staged and never sealed, and starts the projector.
 * Returns when the graph shows everything the log has, or when it has failed to. What was opened is closed on error.
 * @throws DATA_IN_USE, CORRUPT, UNAVAILABLE, STORAGE_FULL
 */
export async function openEngine(config: Config): Promise<RunningEngine> {
  const opened = new AsyncDisposableStack();
  try {
    for (const folder of foldersOf([config.eventLog, config.graph, config.blobStore]))
      defer(opened, lockFolder(folder));
    const log = openEventLog(config.eventLog, systemClock);
    opened.defer(() => log.close());
    const graph = openGraph(config.graph);
    opened.defer(() => graph.close());
    const blobs = await openBlobStore(config.blobStore);
    opened.defer(() => blobs.close());
    const swept = await blobs.sweepStaging();
    const projector = new Projector({ log, graph });
    projector.start();
    opened.defer(() => projector.stop());
    const checkpoints = new TreeCheckpoints(blobs);
    opened.defer(() => checkpoints.settled());
    const running = assemble({ config, log, graph, blobs, checkpoints, projector });
    opened.defer(() => running.submitter.close());
    await projector.caughtUp().catch(onlyItsFailure);
    return { engine: running, failed: projector.failure, swept, close: () => opened.disposeAsync() };
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

interface Opened {
  readonly config: Config;
  readonly log: EventLog;
  readonly graph: GraphStore;
  readonly blobs: BlobStore;
  readonly checkpoints: TreeCheckpoints;
  readonly projector: Projector;
}

function assemble({ config, log, graph, blobs, checkpoints, projector }: Opened): Engine {
  const layers = new LayerStore(graph, blobs);
  const trees = new TreeStore({
    loadIndex: (repo, diffId) => layers.index(repo, diffId),
    cacheBytes: config.treeCacheBytes,
    checkpoints,
  });
  const generations = new OneAtATime('a rebuild or a replay of the event log');
  let failure: VarveError | undefined;
  void projector.failure.then((reason) => (failure = reason));
  const submitter = new Submitter({ log, graph, random: randomBytes, clock: systemClock });
  return {
    version,
    log,
    graph,
    blobs,
    layers,
    trees,
    submitter,
    failure: () => failure,
    rebuild: () => generations.run(() => rebuild({ log, graph })),
    compareGraph: () => generations.iterate(() => compareGraph({ log, graph })),
    checkLog: () => checkLog({ log, graph }),
  };
}

async function checkLog({ log, graph }: Pick<Opened, 'log' | 'graph'>): Promise<void> {
  for (let partition = 0; partition < log.partitionCount; partition += 1) {
    await checkContinuity(log, partition, await graph.checkpoint(partition));
  }
}

function defer(opened: AsyncDisposableStack, lock: FolderLock): void {
  opened.defer(() => lock.release());
}

/** A halted projection does not keep the server from starting: it says so, reads what is there and refuses writes. */
function onlyItsFailure(error: unknown): void {
  if (!isVarveError(error)) throw error;
}
