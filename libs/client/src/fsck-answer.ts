/** Lines of `POST /api/v1/fsck`. */

/** What is not as it should be; `rule` is a stable word. */
export interface FsckFinding {
  readonly type: 'finding';
  readonly rule: string;
  readonly severity: 'fault' | 'notice';
  readonly what: string;
  readonly where: string;
  readonly message: string;
}

/** How much has been read. */
export interface FsckCounts {
  readonly records: number;
  readonly blobs: number;
  readonly layers: number;
  readonly commits: number;
  readonly bytes: number;
}

export interface FsckSummary {
  readonly type: 'summary';
  readonly quick: boolean;
  /** How far the graph was when the run began. */
  readonly positions: readonly string[];
  readonly faults: number;
  readonly notices: number;
  readonly checked: FsckCounts;
}

export type FsckLine = FsckFinding | FsckSummary | { readonly type: 'progress'; readonly checked: FsckCounts };
