import { formatPosition } from '#core/position';
import { checked, type Finding, found, type FsckStep } from '#query/fsck-finding';
import type { Engine } from '../engine.js';
import { auditOf } from './audit.js';

/** A line of the answer; the last one is the summary. */
export type AuditCheckLine =
  | ({ readonly type: 'finding' } & Finding)
  | { readonly type: 'progress'; readonly records: number }
  | { readonly type: 'summary'; readonly records: number; readonly faults: number };

const progressEveryMs = 500;

/** Checks the log and its audit and nothing else, as far as the graph shows it. @throws UNSUPPORTED, NOT_PROJECTED */
export async function* auditCheck(engine: Engine): AsyncGenerator<AuditCheckLine> {
  let [records, faults, toldAt] = [0, 0, performance.now()];
  for await (const step of treeSteps(engine, auditOf(engine))) {
    if (step.type === 'finding') {
      faults += 1;
      yield { type: 'finding', ...step.finding };
      continue;
    }
    records += step.count;
    if (performance.now() - toldAt < progressEveryMs) continue;
    toldAt = performance.now();
    yield { type: 'progress', records };
  }
  yield { type: 'summary', records, faults };
}

/** The log against the trees over it, and the trees against what was signed. */
export async function* treeSteps(
  { log, graph }: Engine,
  audit: NonNullable<Engine['audit']>,
): AsyncGenerator<FsckStep> {
  for (let partition = 0; partition < graph.partitionCount; partition += 1) {
    for await (const step of audit.check(partition)) {
      if (step.type === 'compared') {
        yield checked('records', step.records);
        continue;
      }
      const { type, offset, message } = step;
      const what = type === 'tree' ? `audit tree ${partition}` : `record ${offset}`;
      yield found(`audit-${type}`, { what, where: formatPosition({ log: log.id, partition, offset }), message });
    }
  }
}
