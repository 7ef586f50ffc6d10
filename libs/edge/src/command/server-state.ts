import { formatPosition } from '#core/position';
import type { Engine } from '../engine.js';
import { instant } from '../rest/answer.js';

/** What answers here, and how far its graph is. */
export async function about({ version, log, graph }: Engine) {
  const { offset } = await graph.checkpoint(0);
  const position = formatPosition({ log: log.id, partition: 0, offset: Math.max(offset, 0) });
  return { product: 'varve', version, log: log.id, position } as const;
}

/** How far the graph is, and the digest of all it holds. */
export async function serverState({ graph, log }: Engine) {
  const numbers = Array.from({ length: graph.partitionCount }, (_, partition) => partition);
  const checkpoints = await Promise.all(numbers.map((partition) => graph.checkpoint(partition)));
  const partitions = checkpoints.map(({ offset, stateDigest, partition: { time } }, partition) => ({
    position: offset < 0 ? null : formatPosition({ log: log.id, partition, offset }),
    stateDigest,
    time: instant(time),
  }));
  const repositories = await graph.repositories();
  return {
    log: log.id,
    partitions,
    repositories: repositories.length,
    commits: repositories.reduce((sum, { commits }) => sum + commits, 0),
    moves: repositories.reduce((sum, { moves }) => sum + moves, 0),
  };
}

/** Makes the graph again from the log. @throws CORRUPT, LOG_TRUNCATED, UNAVAILABLE, OVERLOADED */
export async function rebuildGraph(engine: Engine) {
  const { records, offsets, stateDigest, sameAsBefore } = await engine.rebuild();
  const positions = offsets.flatMap((offset, partition) =>
    offset < 0 ? [] : [formatPosition({ log: engine.log.id, partition, offset })],
  );
  const position = positions.length === 0 ? null : positions.join(', ');
  return { records, position, stateDigest, sameAsBefore };
}
