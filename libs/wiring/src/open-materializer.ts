import type { GarbageReport } from '#collect/collect-all';
import { LayerStore } from '#layer/layer-store';
import { TreeCheckpoints } from '#union/tree-checkpoints';
import { TreePacking } from '#union/tree-packing';
import { TreeStore } from '#union/tree-store';
import { Collection, type CollectionRun, type CollectionStores } from './collection.js';
import type { Config } from './config.js';
import { keepCollected } from './keep-collected.js';
import { partitionsOf } from './locations.js';
import { openBlobStore, openEventLog, openGraph, openJobQueue } from './open-stores.js';
import type { RunningProcess } from './running-process.js';
import { healthOf } from './store-health.js';
import { keepSwept } from './sweep-staging.js';
import { systemClock } from './system-clock.js';
import { startTarballWork } from './tarball-work.js';
import { createLogger } from './telemetry.js';

/**
 * Opens the graph, the blob store and the job queue, works off jobs and collects garbage. Any number of processes may do so.
 * @throws CONFIG_INVALID, UNAVAILABLE; what was opened is closed
 */
export async function openMaterializer(config: Config): Promise<RunningProcess> {
  const opened = new AsyncDisposableStack();
  try {
    const graph = await openGraph(config.graph, partitionsOf(config.eventLog));
    opened.defer(() => graph.close());
    const blobs = await openBlobStore(config.blobStore);
    opened.defer(() => blobs.close());
    const jobs = await openJobQueue(config.graph);
    opened.defer(() => jobs.close());
    const swept = await blobs.sweepStaging();
    const layers = new LayerStore(graph, blobs);
    const checkpoints = new TreeCheckpoints(blobs, layers.packs);
    opened.defer(() => checkpoints.settled());
    const packing = new TreePacking(layers.packs);
    opened.defer(() => packing.settled());
    const loadIndex: LayerStore['index'] = (repo, diffId) => layers.index(repo, diffId);
    const trees = new TreeStore({ loadIndex, cacheBytes: config.treeCacheBytes, checkpoints, packing });
    const logger = createLogger(config.logLevel);
    keepSwept(blobs, logger, opened);
    const run = (options: CollectionRun) => collectThrough(config, { graph, blobs, layers, jobs }, options);
    keepCollected({ run, graph, clock: systemClock, random: Math.random, periodMs: config.gcMs, logger }, opened);
    const sources = { graph, blobs, layers, trees };
    startTarballWork(sources, { jobs, budgetBytes: config.tarballBudgetBytes, logger }, opened);
    const well = { failure: () => undefined, behind: () => undefined };
    // A worker outlives every server it lost: it asks again.
    const failed = new Promise<never>(() => undefined);
    return { health: healthOf(well, { graph, blobs }), failed, swept, close: () => opened.disposeAsync() };
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

/** The log is open as long as a run takes: jobs need none, and go on while it is away. */
async function collectThrough(
  { eventLog, gcGraceMs }: Config,
  stores: Omit<CollectionStores, 'log'>,
  options: CollectionRun,
): Promise<GarbageReport> {
  const log = await openEventLog(eventLog);
  try {
    return await new Collection({ ...stores, log }, { graceMs: gcGraceMs }).run(options);
  } finally {
    await log.close();
  }
}
