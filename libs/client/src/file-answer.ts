/** What questions about files answer. Ids are hex, sizes bytes; a path or link that is no UTF-8 is lossy, with its bytes as base64. */

export interface EntryState {
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo';
  readonly size: number;
  /** Four octal digits. */
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970, with up to nine decimals. */
  readonly mtime: string;
  readonly link?: string;
  readonly linkBase64?: string;
  readonly device?: { readonly major: number; readonly minor: number };
  readonly xattrs?: Readonly<Record<string, string>>;
  readonly sha256: string | null;
  /** Where it is from; in a listing of one layer there is none. */
  readonly layer?: string | null;
}

export interface NamedPath {
  readonly path: string;
  readonly pathBase64?: string;
}

export interface TreeEntry extends NamedPath, EntryState {}

export interface LayerEntry extends TreeEntry {
  readonly role: 'node' | 'whiteout' | 'opaque' | 'aufs';
  readonly offset: number;
}

export interface TreeListing {
  readonly commit: string;
  readonly warning: string | null;
  readonly entries: readonly TreeEntry[];
  readonly cursor: string | null;
}

export type FoundLine =
  | { readonly type: 'head'; readonly commit: string; readonly warning: string | null }
  | { readonly type: 'entry'; readonly entry: TreeEntry }
  | { readonly type: 'summary'; readonly entries: number };

export type LayerLine =
  | { readonly type: 'head'; readonly diffId: string }
  | { readonly type: 'entry'; readonly entry: LayerEntry }
  | { readonly type: 'summary'; readonly entries: number };

/** A added, M content changed, m only metadata, D deleted, T type changed, S shadow: an upper layer has it again. */
export type ChangeClass = 'A' | 'M' | 'm' | 'D' | 'T' | 'S';

export interface Change extends NamedPath {
  readonly type: 'change';
  readonly class: ChangeClass;
  readonly before: EntryState | null;
  readonly after: EntryState | null;
  readonly changed: readonly string[];
}

export interface DiffHead {
  readonly type: 'head';
  /** null: the empty tree. */
  readonly from: string | null;
  readonly to: string;
  readonly warnings: readonly string[];
  readonly layers: { readonly shared: number; readonly removed: readonly string[]; readonly added: readonly string[] };
  readonly config: readonly { readonly pointer: string; readonly before?: unknown; readonly after?: unknown }[];
}

export interface DiffSummary {
  readonly type: 'summary';
  readonly classes: Readonly<Record<ChangeClass, number>>;
  readonly bytesAdded: number;
  readonly bytesRemoved: number;
}

export type DiffLine = DiffHead | Change | DiffSummary;

export interface Lints {
  readonly total: number;
  readonly kept: readonly { readonly rule: string; readonly path: string; readonly note: string }[];
}

export interface ShownLayer {
  readonly diffId: string;
  readonly tarBytes: number;
  readonly entries: number;
  readonly whiteouts: number;
  readonly opaques: number;
  readonly encodings: readonly { readonly digest: string; readonly size: number; readonly mediaType: string }[];
  readonly lints: Lints;
  readonly firstCommit: string | null;
}

export interface CommitLints {
  readonly commit: string;
  readonly layers: readonly ShownLayer[];
  readonly union: Lints;
}

export interface RefUsage {
  readonly ref: string;
  readonly commit: string;
  readonly layers: number;
  readonly ownBytes: number;
  readonly virtualBytes: number;
  readonly sharedBytes: number;
  readonly uniqueBytes: number;
}

export interface Usage {
  readonly refs: readonly RefUsage[];
  readonly layers: number;
  readonly virtualBytes: number;
  readonly tarBytes: number;
  readonly storedBytes: number;
}
