import { isVarveError, VarveError } from '#core/error';
import type { EventLog } from '#ports/event-log';
import type { GraphReader } from '#ports/graph-store';
import { checkWanted } from './wanted.js';

const pollMsMin = 20;
const pollMsMax = 1_000;

/** Where each partition ended when a run began. */
export type Ends = readonly number[];

/**
 * Waits until the graph shows all that the log holds now. What it says of names is to be believed from there on: a graph
 * that has lost its rows and is being filled again would give everything away to be fenced, which loses nothing and makes
 * all of it be stored again. @throws UNAVAILABLE (it is behind after `waitMs`), CANCELLED
 */
export async function caughtUp(
  { log, graph }: { readonly log: EventLog; readonly graph: GraphReader },
  { waitMs, signal }: { readonly waitMs: number; readonly signal: AbortSignal | undefined },
): Promise<Ends> {
  const partitions = Array.from({ length: log.partitionCount }, (_, partition) => partition);
  const ends = await Promise.all(partitions.map((partition) => log.end(partition)));
  const deadline = AbortSignal.timeout(waitMs);
  for (let pollMs = pollMsMin; ; pollMs = Math.min(2 * pollMs, pollMsMax)) {
    checkWanted(signal);
    try {
      for (const partition of partitions) await checkShows(graph, partition, ends);
      return ends;
    } catch (error) {
      if (deadline.aborted || !isVarveError(error, 'UNAVAILABLE')) throw error;
    }
    await new Promise((resolve) => void setTimeout(resolve, pollMs));
  }
}

/** After rows were read: the graph has not gone back since it had caught up. @throws UNAVAILABLE */
export async function checkShows(graph: GraphReader, partition: number, ends: Ends): Promise<void> {
  const { offset } = await graph.checkpoint(partition);
  const end = ends[partition] ?? 0;
  if (offset >= end - 1) return;
  const message = `the graph of partition ${partition} is at record ${offset}, and the log held ${end} when the collection began: run it again when the projection has caught up`;
  throw new VarveError('UNAVAILABLE', message, { partition, offset, end });
}
