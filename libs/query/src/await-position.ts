import { VarveError } from '#core/error';
import { limit } from '#core/limit';
import { formatPosition, type Position } from '#core/position';
import type { GraphReader } from '#ports/graph-store';
import { nextNotice } from '#ports/next-notice';

const pollMs = 20;

/** What tells the place: the graph, and the id of the log that it is made from. */
export interface Placed {
  readonly graph: GraphReader;
  readonly log: { readonly id: string };
}

/**
 * Returns when the graph shows everything up to the position, so that a client reads its own writes from any
 * instance. Never answers with less.
 * @throws POSITION_UNKNOWN when it names another log or no partition of this one; NOT_PROJECTED after 2 s
 * @see event-log.md 1.4 "Read-your-writes", 1.6 rule 12
 */
export async function awaitPosition(
  { graph, log }: Placed,
  position: Position,
  waitMs: number = limit.minPositionWaitMs,
): Promise<void> {
  if (position.log !== log.id || position.partition >= graph.partitionCount) {
    throw new VarveError('POSITION_UNKNOWN', `position ${formatPosition(position)} is not of this log (${log.id})`, {
      position: formatPosition(position),
      log: log.id,
    });
  }
  const deadline = performance.now() + waitMs;
  for (;;) {
    const { offset } = await graph.checkpoint(position.partition);
    if (offset >= position.offset) return;
    if (performance.now() >= deadline) throw notVisible(position, { ...position, offset });
    await nextApplied(graph, position.partition);
  }
}

/** The graph is only that far. */
export function notVisible(position: Position, { offset }: Position): VarveError {
  const asked = formatPosition(position);
  const visible = formatPosition({ ...position, offset: Math.max(offset, 0) });
  return new VarveError('NOT_PROJECTED', `position ${asked} is not visible yet: the graph is at ${visible}`, {
    position: asked,
    visible: offset < 0 ? null : visible,
  });
}

/** Until the partition moves on, the signal fires, or a little while. */
export function nextApplied(graph: GraphReader, partition: number, signal?: AbortSignal): Promise<void> {
  return nextNotice(
    (notice) =>
      graph.onApplied((applied) => {
        if (applied.partition === partition) notice();
      }),
    pollMs,
    signal,
  );
}
