import { VarveError } from '#core/error';
import { parsePosition } from '#core/position';
import { parseTime } from '#core/revision';
import { awaitPosition, type Placed } from './await-position.js';
import { GraphAt, type Moment } from './graph-at.js';

/**
 * The graph as it was at a moment that a reader names: a position, or a time as revisions have it (`2026-11-01`,
 * `3.days.ago`). A position is waited for, as any minimum is.
 * @throws REQUEST_INVALID, TIME_UNKNOWN in the future, POSITION_UNKNOWN, NOT_PROJECTED
 */
export async function graphAtMoment(placed: Placed, text: string, nowMs: number = Date.now()): Promise<GraphAt> {
  const moment = parseMoment(text, nowMs);
  if (moment.type === 'position') await awaitPosition(placed, moment.position);
  return new GraphAt(placed.graph, moment);
}

function parseMoment(text: string, nowMs: number): Moment {
  const time = parseTime(text);
  if (time) {
    const ms = time.type === 'instant' ? time.ms : nowMs - time.ms;
    if (ms <= nowMs) return { type: 'time', ms };
    const message = `${text} is in the future: nobody knows yet what will be then`;
    throw new VarveError('TIME_UNKNOWN', message, { at: text, now: new Date(nowMs).toISOString() });
  }
  try {
    return { type: 'position', position: parsePosition(text) };
  } catch (cause) {
    const message = `"${text}" is no moment: expected a time such as 2026-11-01T12:00:00Z or 3.days.ago, or a position`;
    throw new VarveError('REQUEST_INVALID', message, { at: text }, { cause });
  }
}
