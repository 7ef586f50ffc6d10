import type { Step } from './fold-step.js';
import { epochsKept, type PartitionRow, type Stretch } from './graph-row.js';
import { limit } from './limit.js';

/**
 * The fence of a collection begins a GC epoch; however many fences one collection needs, only the first of them does. An
 * outcome is forgotten when two things are so: its epoch lies three fences back, and a day of the log's time has passed.
 *
 * The fences are what is right: a copy of a record of epoch e is judged in e and e + 1 alone, and the transaction it
 * stands for has got its outcome in e or e + 1 if ever, so from e + 3 on nobody can need it. (Two would do; with one
 * more, who finds no outcome in e + 2 knows that there was none.) The day is what people count on: collections in quick
 * succession do not make a retry under an idempotency key a new write. @see event-log 1.6 rule 2
 */
export function beginEpoch(step: Step, run: string): void {
  const { gcEpoch, gcRun, stretches } = step.facts.partition();
  step.setPartition({ fencedAt: step.time });
  if (gcRun === run) return;
  const next = { gcEpoch: gcEpoch + 1, since: step.offset, time: step.time };
  step.setPartition({ gcRun: run, gcEpoch: next.gcEpoch, stretches: remembered(begun(stretches, next), next) });
}

type Moment = Pick<Stretch, 'gcEpoch' | 'since' | 'time'>;

/** Epochs that follow one another quickly are one stretch, so that there are never more than a few. */
function begun(stretches: readonly Stretch[], next: Moment): readonly Stretch[] {
  const last = stretches.at(-1) as Stretch;
  if (next.time - last.time < limit.outcomesKeptMs / stretchesPerKept) return stretches;
  return [...stretches, { ...next, number: last.number + 1, outcomes: '0'.repeat(64) }];
}

const stretchesPerKept = 4;

function remembered(stretches: readonly Stretch[], now: Moment): PartitionRow['stretches'] {
  const isForgotten = (_: Stretch, i: number) => {
    const after = stretches[i + 1];
    return after && after.gcEpoch + epochsKept - 1 <= now.gcEpoch && after.time + limit.outcomesKeptMs <= now.time;
  };
  return stretches.filter((stretch, i) => !isForgotten(stretch, i));
}
