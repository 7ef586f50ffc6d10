import { VarveError } from './error.js';

/** A place in the event log: the record at `offset` of `partition`, in the log named `log`. @see event-log.md 1.6 rule 12 */
export interface Position {
  readonly log: string;
  readonly partition: number;
  readonly offset: number;
}

export function formatPosition({ log, partition, offset }: Position): string {
  return `${log}.${partition}.${offset}`;
}

/** @throws NAME_INVALID */
export function parsePosition(text: string): Position {
  const match = /^([a-z0-9]+)\.(\d{1,6})\.(\d{1,15})$/.exec(text);
  if (!match) {
    throw new VarveError('NAME_INVALID', `"${text}" is not a position: expected <log>.<partition>.<offset>`, { text });
  }
  return { log: match[1] as string, partition: Number(match[2]), offset: Number(match[3]) };
}
