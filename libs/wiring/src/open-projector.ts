import type { Health } from '#edge/health';
import type { EventLog } from '#ports/event-log';
import type { GraphReader } from '#ports/graph-store';
import { Projector } from '#projection/follow';
import type { Config } from './config.js';
import { openEventLog, openGraph } from './open-stores.js';
import type { RunningProcess } from './running-process.js';
import { healthOf } from './store-health.js';
import { systemClock } from './system-clock.js';
import { alarmed, createLogger } from './telemetry.js';

/**
 * Opens the log and the graph and follows the one into the other. A second process on the same graph is a hot standby:
 * both fold, the slower one skips. @throws CONFIG_INVALID, UNAVAILABLE; what was opened is closed
 */
export async function openProjector(config: Config): Promise<RunningProcess> {
  const opened = new AsyncDisposableStack();
  try {
    const log = await openEventLog(config.eventLog);
    opened.defer(() => log.close());
    const graph = await openGraph(config.graph, log);
    opened.defer(() => graph.close());
    const onAlarm = alarmed(createLogger(config.logLevel));
    const projector = new Projector({ log, graph, clock: systemClock, onAlarm });
    projector.start();
    opened.defer(() => projector.stop());
    const health = projectorHealth(projector, { log, graph });
    return { health, failed: projector.failure, swept: 0, close: () => opened.disposeAsync() };
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

/** Ready is a projector that has not halted and reaches both stores; how far it is behind is told beside. */
export function projectorHealth(
  projector: Pick<Projector, 'halted'>,
  stores: { readonly log: EventLog; readonly graph: GraphReader },
): Health {
  const reachable = healthOf({ failure: () => projector.halted, behind: () => undefined }, stores);
  return {
    async ready() {
      const readiness = await reachable.ready();
      return readiness.status === 'ok' ? lagOf(stores) : readiness;
    },
  };
}

async function lagOf({ log, graph }: { readonly log: EventLog; readonly graph: GraphReader }) {
  const partitions = Array.from({ length: log.partitionCount }, (_, partition) => partition);
  try {
    const lags = await Promise.all(
      partitions.map(async (partition) => {
        // The graph first: what is appended in between counts as lag, never the other way round.
        const { offset } = await graph.checkpoint(partition);
        return (await log.end(partition)) - 1 - offset;
      }),
    );
    return { status: 'ok', lag: lags.reduce((sum, lag) => sum + lag, 0) } as const;
  } catch (error) {
    return { status: 'failed', reason: error instanceof Error ? error.message : String(error) } as const;
  }
}
