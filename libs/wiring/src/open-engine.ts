import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { lockFolder } from '#adapters/sqlite/folder-lock';
import { isVarveError, type VarveError } from '#core/error';
import type { Engine } from '#edge/engine';
import { Submitter } from '#history/submitter';
import { LayerStore } from '#layer/layer-store';
import type { BlobStore } from '#ports/blob-store';
import type { EventLog } from '#ports/event-log';
import type { GraphStore } from '#ports/graph-store';
import type { JobQueue } from '#ports/job-queue';
import { compareGraph } from '#projection/compare-graph';
import { checkContinuity } from '#projection/continue-log';
import { Projector } from '#projection/follow';
import { rebuild } from '#projection/rebuild';
import { TreeCheckpoints } from '#union/tree-checkpoints';
import { TreePacking } from '#union/tree-packing';
import { TreeStore } from '#union/tree-store';
import { Collection } from './collection.js';
import type { Config } from './config.js';
import { GraphWatch } from './graph-watch.js';
import { keepCollected } from './keep-collected.js';
import { isServer } from './location.js';
import { foldersOf } from './locations.js';
import { auditOf, openAudit } from './open-audit.js';
import { OneAtATime } from './one-at-a-time.js';
import { openBlobStore, openEventLog, openGraph, openJobQueue } from './open-stores.js';
import type { RunningProcess } from './running-process.js';
import { type Standing, standingOf } from './standing.js';
import { healthOf } from './store-health.js';
import { keepSwept } from './sweep-staging.js';
import { systemClock } from './system-clock.js';
import { startTarballWork } from './tarball-work.js';
import { alarmed, createLogger } from './telemetry.js';
import { version } from './version.js';

/** An engine that runs, and how it ends. */
export interface RunningEngine extends RunningProcess {
  readonly engine: Engine;
}

/** What an engine stands on. */
export interface Stores {
  readonly log: EventLog;
  readonly graph: GraphStore;
  readonly blobs: BlobStore;
  readonly jobs: JobQueue;
}

/**
 * Takes the folders, opens the stores and composes the engine; standalone also sweeps what earlier processes staged and
 * never sealed, starts a worker on the jobs and a projector, and returns when the graph shows everything the log has, or
 * when it has failed to. A gateway returns at once, and answers when the projectors are there. What was opened is closed
 * on error.
 * @throws CONFIG_INVALID, DATA_IN_USE, CORRUPT, UNAVAILABLE, STORAGE_FULL
 */
export async function openEngine(
  config: Config,
  role: 'standalone' | 'gateway' = 'standalone',
): Promise<RunningEngine> {
  const opened = new AsyncDisposableStack();
  try {
    for (const folder of foldersOf([config.eventLog, config.graph, config.blobStore, ...auditOf(config, role)])) {
      const lock = lockFolder(folder);
      opened.defer(() => lock.release());
    }
    const log = await openEventLog(config.eventLog);
    opened.defer(() => log.close());
    const graph = await openGraph(config.graph, log);
    opened.defer(() => graph.close());
    const blobs = await openBlobStore(config.blobStore);
    opened.defer(() => blobs.close());
    const jobs = await openJobQueue(config.graph);
    opened.defer(() => jobs.close());
    // A store that processes share is swept by those who work behind the doors: a gateway has better things to do.
    const swept = role === 'gateway' ? 0 : await blobs.sweepStaging();
    const stores = { log, graph, blobs, jobs };
    const logger = createLogger(config.logLevel);
    const projector = role === 'standalone' ? await startProjector(stores, logger, opened) : undefined;
    const watches = isServer(config.graph) ? [await watch(stores, opened)] : [];
    const standing = standingOf([...(projector ? [projector] : []), ...watches]);
    const { treeCacheBytes, gcGraceMs } = config;
    const engine = composeEngine(stores, { standing, treeCacheBytes, gcGraceMs }, opened);
    if (role === 'standalone') {
      const run: Engine['collect'] = (options) => engine.collect(options);
      keepCollected({ run, graph, clock: systemClock, random: Math.random, periodMs: config.gcMs, logger }, opened);
      startTarballWork(engine, { jobs, budgetBytes: config.tarballBudgetBytes, logger }, opened);
      if (isServer(config.blobStore)) keepSwept(blobs, logger, opened);
    }
    // Of a log that is not the one it was, there is nothing to be signed; the server says so, and what the graph still has.
    // One that is ahead of the clock is waited for.
    const isAudited = role === 'gateway' || [undefined, 'LOG_TIME_AHEAD'].includes(standing.failure()?.code);
    const audit = isAudited ? await openAudit(config, { stores, role }, opened) : undefined;
    const failures = [projector?.failed, audit?.writer?.failed].filter((each) => each !== undefined);
    const failed = failures.length === 0 ? new Promise<never>(() => undefined) : Promise.race(failures);
    return {
      engine: { ...engine, audit: audit?.auditor },
      health: healthOf(standing, stores),
      failed,
      swept,
      close: () => opened.disposeAsync(),
    };
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

/** What the engine is told besides its stores. */
export interface EngineOptions {
  readonly standing: Standing;
  readonly treeCacheBytes: number;
  readonly gcGraceMs: number;
}

/** Puts the stages' connections together over open stores. What it opens itself is closed with `opened`, first. */
export function composeEngine(
  { log, graph, blobs, jobs }: Stores,
  { standing, treeCacheBytes, gcGraceMs }: EngineOptions,
  opened: AsyncDisposableStack,
): Engine {
  const layers = new LayerStore(graph, blobs);
  const checkpoints = new TreeCheckpoints(blobs, layers.packs);
  opened.defer(() => checkpoints.settled());
  const packing = new TreePacking(layers.packs);
  opened.defer(() => packing.settled());
  const loadIndex: LayerStore['index'] = (repo, diffId) => layers.index(repo, diffId);
  const trees = new TreeStore({ loadIndex, cacheBytes: treeCacheBytes, checkpoints, packing });
  const generations = new OneAtATime('a rebuild or a replay of the event log');
  const collection = new Collection({ log, graph, blobs, layers, jobs }, { graceMs: gcGraceMs });
  const submitter = new Submitter({ log, graph, random: randomBytes, clock: systemClock });
  opened.defer(() => submitter.close());
  return {
    version,
    log,
    graph,
    blobs,
    layers,
    trees,
    submitter,
    jobs,
    failure: () => standing.failure(),
    behind: () => standing.behind(),
    rebuild: () => generations.run(() => rebuild({ log, graph })),
    collect: (options) => collection.run(options),
    compareGraph: () => generations.iterate(() => compareGraph({ log, graph })),
    checkLog: () => checkLog({ log, graph }),
  };
}

async function watch(stores: Stores, opened: AsyncDisposableStack): Promise<Standing> {
  const graphWatch = await GraphWatch.start(stores);
  opened.defer(() => graphWatch.stop());
  return graphWatch;
}

interface StandingProjector extends Standing {
  readonly failed: Promise<VarveError>;
}

async function startProjector(
  stores: Stores,
  logger: Logger,
  opened: AsyncDisposableStack,
): Promise<StandingProjector> {
  const projector = new Projector({ ...stores, clock: systemClock, onAlarm: alarmed(logger) });
  projector.start();
  opened.defer(() => projector.stop());
  const caughtUp = projector.caughtUp().catch(onlyItsFailure);
  // Without room it would wait for some, and open no door meanwhile.
  const full = await Promise.race([caughtUp, projector.full]);
  if (full) throw full;
  return { failed: projector.failure, failure: () => projector.halted, behind: () => undefined };
}

async function checkLog({ log, graph }: Pick<Stores, 'log' | 'graph'>): Promise<void> {
  for (let partition = 0; partition < log.partitionCount; partition += 1) {
    await checkContinuity(log, partition, await graph.checkpoint(partition));
  }
}

/** A halted projection does not keep the server from starting: it says so, reads what is there and refuses writes. */
function onlyItsFailure(error: unknown): void {
  if (!isVarveError(error)) throw error;
}
