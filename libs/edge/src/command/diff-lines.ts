import type { Change } from '#query/changes';
import type { Diff } from '#query/diff';

/** The answer to a diff, line by line, before a door renders it. */
export type DiffLine =
  | { readonly type: 'head'; readonly diff: Diff }
  | { readonly type: 'change'; readonly change: Change }
  | ({ readonly type: 'summary' } & DiffSummary);

export interface DiffSummary {
  readonly classes: Readonly<Record<Change['class'], number>>;
  /** Of files that are new or have other content. */
  readonly bytesAdded: number;
  /** Of what they were, and of files that are gone. */
  readonly bytesRemoved: number;
}

/** The head, every change if they are wanted, and what they come to. */
export async function* diffLines(diff: Diff, withChanges: boolean): AsyncGenerator<DiffLine> {
  yield { type: 'head', diff };
  const classes = { A: 0, M: 0, m: 0, D: 0, T: 0, S: 0 };
  let [bytesAdded, bytesRemoved] = [0, 0];
  for await (const change of diff.changes()) {
    classes[change.class]++;
    if (change.class !== 'm' && change.class !== 'S') {
      bytesAdded += change.after?.sizeBytes ?? 0;
      bytesRemoved += change.before?.sizeBytes ?? 0;
    }
    if (withChanges) yield { type: 'change', change };
  }
  yield { type: 'summary', classes, bytesAdded, bytesRemoved };
}
