import type { Logger } from 'pino';
import type { GarbageReport } from '#collect/collect-all';
import { isVarveError } from '#core/error';
import type { Clock } from '#ports/clock';
import type { GraphReader } from '#ports/graph-store';

/** What runs by itself, and when. */
export interface KeptCollection {
  readonly run: (options: { readonly dryRun: false; readonly signal: AbortSignal }) => Promise<GarbageReport>;
  readonly graph: Pick<GraphReader, 'checkpoint' | 'partitionCount'>;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  /** 0: never. */
  readonly periodMs: number;
  readonly logger: Pick<Logger, 'info' | 'error'>;
}

/** It looks more often than it runs, and soon after it was started, so that one that is started often collects as well. */
const looksPerPeriod = 24;
const firstLookMs = 30_000;

/**
 * Collects garbage once in a period, by the log's time of the last fence, whoever raised it: of any number of processes
 * one does it, or, when two look at the same moment, two, which does no harm. Ends with `opened`; what runs then stops
 * between two steps and is taken up by a later run.
 */
export function keepCollected(kept: KeptCollection, opened: AsyncDisposableStack): void {
  if (kept.periodMs === 0) return;
  const ending = new AbortController();
  let running = Promise.resolve();
  const look = (): void => {
    running = running.then(() => collectIfDue(kept, ending.signal));
  };
  // Processes that are started together do not all look at once.
  const first = setTimeout(look, Math.min(firstLookMs * (1 + kept.random()), kept.periodMs / looksPerPeriod));
  const timer = setInterval(look, kept.periodMs / looksPerPeriod);
  opened.defer(async () => {
    clearTimeout(first);
    clearInterval(timer);
    ending.abort();
    await running;
  });
}

async function collectIfDue(kept: KeptCollection, signal: AbortSignal): Promise<void> {
  const { run, logger } = kept;
  try {
    if (signal.aborted || !(await isDue(kept))) return;
    const {
      gcId,
      epochs,
      candidates,
      kept: left,
      removed,
      forgotten,
      ...others
    } = await run({ dryRun: false, signal });
    const counts = { candidates: candidates.count, kept: left.count, removed: removed.count, forgotten };
    const derived = Object.fromEntries(others.derived.map((of) => [of.kind, of.removed.count]));
    const told = {
      gc: gcId,
      epochs,
      ...counts,
      removed_bytes: removed.bytes,
      derived,
      uploads: others.uploads.removed.count,
    };
    logger.info(told, 'collected garbage');
  } catch (error) {
    // Someone asked for a run meanwhile, a store or the projection is away, or the process ends: later is soon enough.
    const isPassing = ['OVERLOADED', 'UNAVAILABLE', 'OUTCOME_UNKNOWN', 'CANCELLED', 'STORAGE_FULL'];
    const code = isVarveError(error) ? error.code : undefined;
    if (code && isPassing.includes(code)) logger.info({ code }, 'garbage is collected later');
    else logger.error({ err: error }, 'garbage could not be collected');
  }
}

/** A clock of ours that is wrong makes it early or late, never wrong: a fence may come at any time. */
async function isDue({ graph, clock, periodMs }: KeptCollection): Promise<boolean> {
  let lastFence = 0;
  for (let partition = 0; partition < graph.partitionCount; partition += 1) {
    lastFence = Math.max(lastFence, (await graph.checkpoint(partition)).partition.fencedAt);
  }
  return clock.now() - lastFence >= periodMs;
}
