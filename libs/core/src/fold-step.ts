import type { ErrorCode, ErrorDetail } from './error.js';
import type { LogRecord } from './event.js';
import type { Facts, Outcome, OutcomeRow, PartitionRow } from './graph-row.js';
import { OverlayFacts } from './overlay-facts.js';

/** A transaction that is not accepted: as a value, because losing a race is nothing out of order. */
export type Rejected = Extract<Outcome, { type: 'rejected' }>;
export type Accepted = Extract<Outcome, { type: 'accepted' }>;

/** A record being judged: the state with what the record has made so far on top. */
export class Step {
  readonly facts: OverlayFacts;
  readonly offset: number;
  readonly time: number;

  constructor(facts: Facts, { offset, time }: Pick<LogRecord, 'offset' | 'time'>) {
    this.facts = new OverlayFacts(facts);
    this.offset = offset;
    this.time = time;
    this.setPartition({ time: this.time });
  }

  setPartition(fields: Partial<PartitionRow>): void {
    const before = this.facts.partition();
    this.facts.add({ type: 'partition', before, after: { ...before, ...fields } });
  }

  /** Gives a transaction its outcome, unless it has one. */
  record(row: Pick<OutcomeRow, 'txid' | 'repo' | 'request' | 'outcome'>): OutcomeRow {
    const known = this.facts.outcome(row.txid);
    if (known) return known;
    const after = { ...row, offset: this.offset, time: this.time, epoch: this.facts.partition().gcEpoch };
    this.facts.add({ type: 'outcome', after });
    return after;
  }
}

export function rejected(code: ErrorCode, message: string, detail: ErrorDetail = {}): Rejected {
  return { type: 'rejected', code, message, detail };
}
