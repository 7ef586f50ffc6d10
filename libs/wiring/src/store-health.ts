import { parseDigest } from '#core/digest';
import { isVarveError } from '#core/error';
import type { Health, Readiness } from '#edge/health';
import type { BlobStore } from '#ports/blob-store';
import type { EventLog } from '#ports/event-log';
import type { GraphReader } from '#ports/graph-store';
import type { Standing } from './standing.js';

export interface ProbedStores {
  readonly log?: Pick<EventLog, 'end'>;
  readonly graph: Pick<GraphReader, 'checkpoint'>;
  readonly blobs?: Pick<BlobStore, 'stat'>;
}

const probeMsMax = 3_000;

/** Nothing is stored here; asking for it says whether the store answers. */
const nowhere = { kind: 'index', version: 0, key: parseDigest(`sha256:${'0'.repeat(64)}`) } as const;

/** Ready is who reaches all of its stores, and whose graph follows the log. Probes that run already are shared. */
export function healthOf(standing: Standing, { log, graph, blobs }: ProbedStores): Health {
  const probe = async (): Promise<Readiness> => {
    const failure = standing.failure() ?? standing.behind();
    if (failure) return { status: 'failed', reason: failure.message };
    const reasons = await Promise.all([
      ...(log ? [reasonOf('the event log', log.end(0))] : []),
      reasonOf('the graph', graph.checkpoint(0)),
      ...(blobs ? [reasonOf('the blob store', blobs.stat(nowhere))] : []),
    ]);
    const told = reasons.flatMap((reason) => reason ?? []);
    return told.length === 0 ? { status: 'ok' } : { status: 'failed', reason: told.join('; ') };
  };
  let probing: Promise<Readiness> | undefined;
  return { ready: () => (probing ??= probe().finally(() => (probing = undefined))) };
}

async function reasonOf(store: string, answer: Promise<unknown>): Promise<string | undefined> {
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => late.resolve(`${store} does not answer`), probeMsMax);
  const said = answer.then(
    () => undefined,
    (error: unknown) => `${store}: ${isVarveError(error) ? error.message : String(error)}`,
  );
  try {
    return await Promise.race([said, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
