import type { ErrorCode, ErrorDetail } from './error.js';
import type { LogRecord } from './event.js';
import {
  type Facts,
  keptStretches,
  type Outcome,
  type OutcomeRow,
  type PartitionRow,
  type Stretch,
} from './graph-row.js';
import { OverlayFacts } from './overlay-facts.js';
import { withOutcome } from './state-digest.js';

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

  /** The outcome of a transaction, if it has one that is not forgotten: a store may be slow to drop those that are. */
  outcome(txid: string): OutcomeRow | undefined {
    const row = this.facts.outcome(txid);
    return row && row.stretch >= keptStretches(this.facts.partition()).first ? row : undefined;
  }

  /** Gives a transaction its outcome, unless it has one. */
  record(row: Pick<OutcomeRow, 'txid' | 'repo' | 'request' | 'outcome'>): OutcomeRow {
    const known = this.outcome(row.txid);
    if (known) return known;
    const { stretches } = this.facts.partition();
    const current = stretches.at(-1) as Stretch;
    const after = { ...row, offset: this.offset, time: this.time, stretch: current.number };
    const grown = { ...current, outcomes: withOutcome(current.outcomes, after) };
    this.setPartition({ stretches: [...stretches.slice(0, -1), grown] });
    this.facts.add({ type: 'outcome', after });
    return after;
  }
}

export function rejected(code: ErrorCode, message: string, detail: ErrorDetail = {}): Rejected {
  return { type: 'rejected', code, message, detail };
}
