import type { AuditEntry } from '#audit/entry';
import type { ShownRecord, Verified, VerifiedRef } from '#audit/verify-proof';
import { firstLine, terminalText } from './terminal-text.js';

/** What a proof shows, for people; `linkedTo` undefined: it was not held against what was seen. */
export function verifiedText(verified: Verified, linkedTo?: number | null): string {
  const { checkpoint, ref, entry, record } = verified;
  const lines = [
    'the proof holds',
    `  log       ${checkpoint.origin}, ${checkpoint.size} records signed`,
    ...(ref ? refLines(ref, entry) : []),
    ...(record
      ? [
          `  record    ${entry.offset} of ${instant(entry.t)}: ${entry.decision}`,
          `  event     ${eventText(record, entry)}`,
        ]
      : []),
    ...(linkedTo === undefined
      ? []
      : [
          `  seen      ${linkedTo === null ? 'the first checkpoint of this log on this machine' : `continues the checkpoint of ${linkedTo} records`}`,
        ]),
  ];
  return lines.join('\n');
}

function refLines({ repo, ref, value, setBy, until, isReplayed }: VerifiedRef, entry: AuditEntry): string[] {
  const pointed =
    value === null
      ? 'had never been'
      : value.commit === null
        ? `was deleted, version ${value.version}`
        : `pointed at ${value.commit}, version ${value.version}`;
  return [
    `  ref       ${ref} of ${repo} ${pointed}`,
    `  as of     record ${entry.offset}, ${instant(entry.t)}`,
    `  until     ${until ? `record ${until.offset}, ${instant(until.t)}, at least` : 'the end of what is signed'}`,
    ...(setBy
      ? [`  set by    record ${setBy.entry.offset}, ${instant(setBy.entry.t)}: ${eventText(setBy, setBy.entry)}`]
      : []),
    ...(setBy
      ? [`  decision  ${isReplayed ? 'made again, and the same' : 'not made again: too many commits lie between'}`]
      : []),
  ];
}

function eventText({ event }: ShownRecord, { type }: AuditEntry): string {
  if (!event || !('actor' in event)) return type;
  const who = `${terminalText(event.actor.name)}${event.actor.verified ? '' : ' (not verified)'}`;
  if (!('operation' in event)) return `${type} by ${who}`;
  return `${event.operation} by ${who}${event.reason === '' ? '' : `: ${firstLine(event.reason)}`}`;
}

/** The same for programs, in a stable shape. */
export function verifiedJson({ checkpoint, entry, ref, record }: Verified, linkedTo: number | null) {
  return {
    valid: true,
    origin: checkpoint.origin,
    size: checkpoint.size,
    asOf: placed(entry),
    seen: linkedTo,
    ref: ref && {
      repo: ref.repo,
      ref: ref.ref,
      value: ref.value,
      until: ref.until && placed(ref.until),
      setBy: ref.setBy && { ...placed(ref.setBy.entry), ...told(ref.setBy) },
      replayed: ref.isReplayed,
    },
    record: record && { decision: entry.decision, type: entry.type, ...told(record) },
  };
}

function placed({ offset, t }: AuditEntry) {
  return { offset, time: instant(t) };
}

function told({ event }: ShownRecord) {
  if (!event || !('actor' in event)) return { actor: null, operation: null, reason: null, requestId: null };
  const { actor, requestId = null } = event;
  const why =
    'operation' in event ? { operation: event.operation, reason: event.reason } : { operation: null, reason: null };
  return { actor, ...why, requestId };
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
