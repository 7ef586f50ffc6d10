import type { z } from 'zod';
import type { FoundRecord } from '#audit/search-audit';
import { formatPosition } from '#core/position';
import type { Engine } from '../engine.js';
import { instant } from './answer.js';
import type { auditRecord } from './audit-schema.js';

/** What became of one record. */
export type AuditedRecord = z.infer<typeof auditRecord>;

/** A line of the answer; the last one is the summary. */
export type AuditLine = AuditedRecord | { readonly type: 'summary'; readonly records: number };

/** At most `limit` records as lines, and how many they were. */
export async function* renderAudited(
  engine: Pick<Engine, 'log'>,
  found: AsyncIterable<FoundRecord>,
  limit = Number.POSITIVE_INFINITY,
): AsyncGenerator<AuditLine> {
  let records = 0;
  for await (const record of found) {
    yield render(engine, record);
    records += 1;
    if (records >= limit) break;
  }
  yield { type: 'summary', records };
}

function render({ log }: Pick<Engine, 'log'>, record: FoundRecord): AuditedRecord {
  const { partition, offset, t, type, decision, moves = [], commits = [] } = record;
  return {
    type: 'record',
    position: formatPosition({ log: log.id, partition, offset }),
    time: instant(t),
    event: type,
    outcome: decision,
    message: record.message ?? null,
    actor: record.actor ?? null,
    repo: record.repo,
    operation: record.operation ?? null,
    reason: record.reason ?? null,
    requestId: record.requestId ?? null,
    txid: record.txid,
    moves: moves.map(({ ref, from, to, version }) => ({ ref, from, to, version: version ?? null })),
    commits: [...commits],
  };
}
