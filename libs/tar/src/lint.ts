import { lossy } from './refusal.js';

/** What is allowed, and surprises someone. Never changes the bytes we write. @see union/SPEC 4.4 */
export type LintRule =
  | 'aufs-private'
  | 'cross-layer-link'
  | 'device-zero'
  | 'duplicate-path'
  | 'file-replaced-by-implied-directory'
  | 'forward-link'
  | 'global-header-ignored'
  | 'link-metadata-differs'
  | 'many-links'
  | 'marker-beside-entry'
  | 'marker-not-empty-file'
  | 'marker-parent-missing'
  | 'overlay-xattr-dropped'
  | 'replaces-lower-symlink'
  | 'root-opaque'
  | 'size-ignored'
  | 'user-xattr-on-special'
  | 'vendor-record-dropped';

/** `path` as lossy UTF-8, relative to the root; '' is the root or the layer as a whole. */
export interface Lint {
  readonly rule: LintRule;
  readonly path: string;
  readonly note: string;
}

/** The first thousand, and how many there are. */
export interface Lints {
  readonly kept: readonly Lint[];
  readonly total: number;
}

export const noLints: Lints = { kept: [], total: 0 };

const lintsKeptMax = 1000;

/** Collects lints; what is not kept costs nothing but the count. */
export class LintList implements Lints {
  readonly kept: Lint[] = [];
  total = 0;

  add(rule: LintRule, path: Uint8Array, note: string): void {
    this.total++;
    if (this.kept.length < lintsKeptMax) this.kept.push({ rule, path: lossy(path), note });
  }

  addAll({ kept, total }: Lints): void {
    this.total += total;
    this.kept.push(...kept.slice(0, lintsKeptMax - this.kept.length));
  }
}
