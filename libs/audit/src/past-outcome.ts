import type { Outcome } from '#core/graph-row';
import type { ErrorCode } from '#core/error';
import type { AuditStore } from '#ports/audit-store';
import type { AuditAbout } from './audit-about.js';
import { decodeEntry } from './entry.js';

/** What became of a record of long ago, for which the graph has no outcome any more. */
export interface PastOutcome {
  /** The log's, clamped to grow, milliseconds since 1970. */
  readonly time: number;
  readonly outcome: Outcome;
}

/** As the audit has kept it: of a rejection the code and the words. Undefined for what did nothing, and where there is no entry. */
export async function pastOutcome(store: AuditStore, tree: number, offset: number): Promise<PastOutcome | undefined> {
  const [row] = await store.entries(tree, offset, offset + 1);
  const entry = row && decodeEntry(row.entry);
  if (!entry || entry.decision === 'none') return undefined;
  const about = JSON.parse(row.about) as AuditAbout;
  return { time: entry.t, outcome: outcomeOf(entry.decision, about) };
}

function outcomeOf(decision: string, { message = '', commits = [], moves = [] }: AuditAbout): Outcome {
  if (decision !== 'accepted') {
    return { type: 'rejected', code: decision.slice('rejected:'.length) as ErrorCode, message, detail: {} };
  }
  const moved = moves.flatMap(({ ref, to, version }) => (version === undefined ? [] : [{ ref, commit: to, version }]));
  return { type: 'accepted', commits, moves: moved };
}
