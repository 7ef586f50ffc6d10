import type { AuditPlace } from '#audit/auditor';
import { VarveError } from '#core/error';
import { parsePosition, type Position } from '#core/position';
import { parseTime } from '#core/revision';
import type { Engine } from './engine.js';

/**
 * Reads when or where a question is about: a position, or a time as a revision has it: RFC 3339, `3.days.ago`,
 * `yesterday`. Without a text it is about now.
 * @throws NAME_INVALID, POSITION_UNKNOWN for a position of another log or partition
 */
export function parsePlace(engine: Engine, text: string | undefined, partition: number): AuditPlace {
  if (text === undefined) return { type: 'now' };
  if (!isPosition(text)) return { type: 'time', ms: readTime(text) };
  const position = ownPosition(engine, text);
  if (position.partition === partition) return { type: 'offset', offset: position.offset };
  const message = `${text} is of partition ${position.partition}; the repository is in partition ${partition}`;
  throw new VarveError('POSITION_UNKNOWN', message, { position: text, partition });
}

/** @throws NAME_INVALID, POSITION_UNKNOWN */
export function ownPosition({ log }: Engine, text: string): Position {
  const position = parsePosition(text);
  if (position.log === log.id) return position;
  const message = `${text} is of log ${position.log}; this is log ${log.id}`;
  throw new VarveError('POSITION_UNKNOWN', message, { position: text, log: log.id });
}

/** Milliseconds since 1970. @throws NAME_INVALID */
function readTime(text: string): number {
  const time = parseTime(text);
  if (time) return time.type === 'instant' ? time.ms : Date.now() - time.ms;
  const message = `"${text}" is not a time: expected 2026-11-01T00:00:00Z, 3.days.ago, yesterday or a position`;
  throw new VarveError('NAME_INVALID', message, { text });
}

/** Whether it is meant as one. */
export function isPosition(text: string): boolean {
  return /^[a-z0-9]+\.\d+\.\d+$/.test(text);
}
