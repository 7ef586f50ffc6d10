/** What `fsck` can find, by its stable word. A fault is damage; a notice is nothing wrong, and nice to know. */
export const fsckRules = {
  'log-broken': 'fault',
  'projection-halted': 'fault',
  'graph-behind': 'notice',
  'audit-record': 'fault',
  'audit-tree': 'fault',
  'graph-row': 'fault',
  'graph-digest': 'fault',
  'ref-row': 'fault',
  'ref-target-missing': 'fault',
  'commit-missing': 'fault',
  'commit-bytes': 'fault',
  'commit-row': 'fault',
  'commit-index': 'fault',
  'parent-missing': 'fault',
  'layer-unbound': 'fault',
  'layer-invalid': 'fault',
  'document-unbound': 'fault',
  'blob-missing': 'fault',
  'blob-size': 'fault',
  'blob-digest': 'fault',
  'blob-unreferenced': 'notice',
  'index-missing': 'fault',
  'index-differs': 'fault',
  'seekable-differs': 'fault',
  'seekable-missing': 'notice',
  'tree-differs': 'fault',
  'pack-differs': 'fault',
  'tarball-differs': 'fault',
  'tarball-missing': 'notice',
  'derived-unreferenced': 'notice',
  'staging-leftover': 'fault',
} as const satisfies Record<string, 'fault' | 'notice'>;

export type FsckRule = keyof typeof fsckRules;

/** One thing that is not as it should be. `where` is a repository, a stored address, a place in the log. */
export interface Finding {
  readonly rule: FsckRule;
  readonly severity: 'fault' | 'notice';
  readonly what: string;
  readonly where: string;
  /** What is wrong, both sides of it, and what to do. */
  readonly message: string;
}

/** What a check says while it runs: a finding, or how much it has read since it last said so. */
export type FsckStep =
  | { readonly type: 'finding'; readonly finding: Finding }
  | { readonly type: 'checked'; readonly unit: CheckedUnit; readonly count: number };

/** What is counted. `bytes`: read and hashed. */
export const checkedUnits = ['records', 'blobs', 'layers', 'commits', 'bytes'] as const;
export type CheckedUnit = (typeof checkedUnits)[number];

export function found(rule: FsckRule, told: Omit<Finding, 'rule' | 'severity'>): FsckStep {
  return { type: 'finding', finding: { rule, severity: fsckRules[rule], ...told } };
}

export function checked(unit: CheckedUnit, count: number): FsckStep {
  return { type: 'checked', unit, count };
}
