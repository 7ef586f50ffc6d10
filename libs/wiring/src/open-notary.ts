import type { AuditWriter } from '#audit/audit-writer';
import type { Health } from '#edge/health';
import type { AuditStore } from '#ports/audit-store';
import type { EventLog } from '#ports/event-log';
import type { Config } from './config.js';
import { type AuditedStores, openAuditStore, openAuditWriter } from './open-audit.js';
import { openBlobStore, openEventLog, openGraph } from './open-stores.js';
import type { RunningProcess } from './running-process.js';
import { healthOf } from './store-health.js';

/**
 * Opens the log, the graph and the blob store, keeps the audit trees and signs them. A second process with the same key is
 * a hot standby: both make the same trees, and the slower one only skips. @throws CONFIG_INVALID, UNAVAILABLE; what was
 * opened is closed
 */
export async function openNotary(config: Config): Promise<RunningProcess> {
  const opened = new AsyncDisposableStack();
  try {
    const log = await openEventLog(config.eventLog);
    opened.defer(() => log.close());
    const graph = await openGraph(config.graph, log);
    opened.defer(() => graph.close());
    const blobs = await openBlobStore(config.blobStore);
    opened.defer(() => blobs.close());
    const stores = { log, graph, blobs };
    const store = await openAuditStore(config, stores);
    opened.defer(() => store.close());
    const writer = await openAuditWriter(config, { log, graph, store }, opened);
    const health = notaryHealth(writer, { ...stores, store });
    return { health, failed: writer.failed, swept: 0, close: () => opened.disposeAsync() };
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

/** Ready is a notary that goes on and reaches its stores; `lag` are the records that the trees do not have yet. */
function notaryHealth(writer: AuditWriter, stores: AuditedStores & { readonly store: AuditStore }): Health {
  const reachable = healthOf({ failure: () => writer.failure(), behind: () => undefined }, stores);
  return {
    async ready() {
      const readiness = await reachable.ready();
      return readiness.status === 'ok' ? lagOf(stores) : readiness;
    },
  };
}

async function lagOf({ log, store }: { readonly log: EventLog; readonly store: AuditStore }) {
  const partitions = Array.from({ length: log.partitionCount }, (_, partition) => partition);
  try {
    const lags = await Promise.all(
      partitions.map(async (partition) => {
        const { entries } = await store.size(partition);
        return (await log.end(partition)) - entries;
      }),
    );
    return { status: 'ok', lag: lags.reduce((sum, lag) => sum + lag, 0) } as const;
  } catch (error) {
    return { status: 'failed', reason: error instanceof Error ? error.message : String(error) } as const;
  }
}
