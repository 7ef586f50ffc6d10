import type { AuditRow, AuditStore } from '#ports/audit-store';
import { type AuditAbout, type AuditFilter, isWanted, textsOf, wordsAsked } from './audit-about.js';
import { glanceAt } from './entry.js';
import { firstAfter } from './entry-at.js';

/** A record that a question found. */
export interface FoundRecord extends AuditAbout {
  readonly partition: number;
  readonly offset: number;
  readonly t: number;
  readonly type: string;
}

/** When, by the log's clock, or where in a partition: from one on and up to the other, both included. */
export interface AuditSpan {
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
  readonly sinceOffset?: number | undefined;
  readonly untilOffset?: number | undefined;
}

/** Records that the filter wants, oldest first, of several partitions by time. */
export async function* searchAudit(
  store: AuditStore,
  partitions: readonly number[],
  { sinceMs, untilMs, sinceOffset, untilOffset, ...filter }: AuditFilter & AuditSpan,
): AsyncGenerator<FoundRecord> {
  const span = { sinceMs, untilMs, sinceOffset, untilOffset };
  const sources = partitions.map((partition) => searchPartition(store, partition, filter, span));
  const heads = await Promise.all(sources.map((source) => source.next()));
  for (;;) {
    const open = heads.flatMap(({ done, value }, i) => (done === true ? [] : [{ found: value, i }]));
    const [first, ...others] = open;
    if (!first) return;
    const { found, i } = others.reduce((a, b) => (b.found.t < a.found.t ? b : a), first);
    yield found;
    heads[i] = await (sources[i] as (typeof sources)[number]).next();
  }
}

async function* searchPartition(
  store: AuditStore,
  tree: number,
  filter: AuditFilter,
  { sinceMs, untilMs, sinceOffset = 0, untilOffset = Number.MAX_SAFE_INTEGER }: AuditSpan,
): AsyncGenerator<FoundRecord, undefined> {
  const { entries: size } = await store.size(tree);
  const after = sinceMs === undefined ? 0 : await firstAfter(store, { tree, size }, sinceMs - 1);
  const before = untilMs === undefined ? size : await firstAfter(store, { tree, size }, untilMs);
  const [from, to] = [Math.max(after, sinceOffset), Math.min(before, untilOffset + 1)];
  for await (const rows of store.search(tree, { from, to, texts: textsOf(filter), words: wordsAsked(filter) })) {
    for (const row of rows) {
      const found = foundRecord(tree, row);
      if (found && isWanted(found, filter)) yield found;
    }
  }
  return undefined;
}

function foundRecord(partition: number, { offset, entry, about }: AuditRow): FoundRecord | undefined {
  const glance = glanceAt(entry);
  return glance && { partition, offset, ...glance, ...(JSON.parse(about) as AuditAbout) };
}
