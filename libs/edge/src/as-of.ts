import { VarveError } from '#core/error';
import type { Position } from '#core/position';
import { GraphAt } from '#query/graph-at';
import { graphAtMoment } from '#query/moment';
import type { Engine } from './engine.js';

/**
 * The engine whose graph is as it was at the moment that a caller names; `engine` itself when it names none.
 * @throws REQUEST_INVALID, TIME_UNKNOWN, POSITION_UNKNOWN, NOT_PROJECTED
 */
export async function engineAsOf(engine: Engine, at: unknown): Promise<Engine> {
  if (at === undefined) return engine;
  if (typeof at !== 'string')
    throw new VarveError('REQUEST_INVALID', 'at is given more than once: one moment is asked');
  return { ...engine, graph: await graphAtMoment(engine, at) };
}

/** The position that an engine is as of, which was waited for; none when it is of now or of a time. */
export function positionAsOf({ graph }: Engine): readonly Position[] {
  return graph instanceof GraphAt && graph.moment.type === 'position' ? [graph.moment.position] : [];
}
