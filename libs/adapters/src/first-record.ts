import { randomBytes } from 'node:crypto';
import { decodeEvent, encodeEvent } from '#core/event-codec';

/** A new log's name: short, and never the same twice. Positions carry it. */
export function newLogId(): string {
  return `l${randomBytes(5).toString('hex')}`;
}

/** What stands first in every partition of a new log: from here on rule set 1 decides. @see event-log 1.4 */
export function firstRecord(logId: string, time: number): Uint8Array {
  const event = { type: 'rules.activate.v1', txid: randomBytes(16).toString('hex'), rules: 1 } as const;
  return encodeEvent(event, { source: `varve/${logId}`, time, salt: randomBytes(16) });
}

/** The name of the log that a record stands first in; undefined when it is no such record. */
export function logIdOf(first: Uint8Array): string | undefined {
  const decoded = decodeEvent(first);
  if (decoded.type !== 'event' || decoded.event.type !== 'rules.activate.v1') return undefined;
  const { source } = JSON.parse(Buffer.from(first).toString()) as { readonly source?: unknown };
  return typeof source === 'string' ? /^varve\/([a-z0-9]{1,16})$/.exec(source)?.[1] : undefined;
}
