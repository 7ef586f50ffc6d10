import { isUtf8 } from 'node:buffer';
import type { z } from 'zod';
import type { Change } from '#query/changes';
import type { Diff } from '#query/diff';
import type { ShownLayer } from '#query/layer-content';
import type { LayerEntry } from '#query/layer-entry';
import type { TreeEntry } from '#query/tree-entry';
import type { Lints } from '#tar/lint';
import type * as schema from './question-schema.js';

/** Renders what questions about files answer as the JSON of `question-schema.ts`. */

export function renderEntry(entry: TreeEntry): z.infer<typeof schema.treeEntry> {
  return { ...renderPath(entry.path), ...renderState(entry) };
}

export function renderLayerEntry(entry: LayerEntry): z.infer<typeof schema.layerEntry> {
  return { ...renderPath(entry.path), ...renderAttributes(entry), role: entry.role, offset: entry.offset };
}

export function renderChange(change: Change): Extract<z.infer<typeof schema.diffLine>, { type: 'change' }> {
  const { before, after, changed } = change;
  const path = (after ?? before)?.path ?? Buffer.alloc(0);
  return {
    type: 'change',
    class: change.class,
    ...renderPath(path),
    before: before && renderState(before),
    after: after && renderState(after),
    changed: [...changed],
  };
}

export function renderDiff(diff: Diff): Extract<z.infer<typeof schema.diffLine>, { type: 'head' }> {
  return {
    type: 'head',
    from: diff.from?.id ?? null,
    to: diff.to.id,
    warnings: [...diff.warnings],
    layers: { shared: diff.layersShared, removed: [...diff.layersRemoved], added: [...diff.layersAdded] },
    config: diff.config.map((difference) => ({ ...difference })),
  };
}

export function renderLayer(shown: ShownLayer): z.infer<typeof schema.shownLayer> {
  const { layer, encodings, entries, whiteouts, opaques, lints, firstCommit } = shown;
  const { diffId, tarBytes } = layer;
  const told = { diffId, tarBytes, entries, whiteouts, opaques, firstCommit };
  return { ...told, encodings: encodings.map((encoding) => ({ ...encoding })), lints: renderLints(lints) };
}

export function renderLints({ total, kept }: Lints): z.infer<typeof schema.shownLayer>['lints'] {
  return { total, kept: kept.map((lint) => ({ ...lint })) };
}

function renderPath(path: Buffer): { path: string; pathBase64?: string } {
  return isUtf8(path) ? { path: path.toString() } : { path: path.toString(), pathBase64: path.toString('base64') };
}

function renderState(entry: TreeEntry) {
  return { ...renderAttributes(entry), layer: entry.layer };
}

function renderAttributes(entry: Omit<TreeEntry, 'layer'>) {
  const { type, sizeBytes, mode, uid, gid, link, device, xattrs, sha256 } = entry;
  const values = [...xattrs].map(([name, value]) => [name, value.toString('base64')] as const);
  return {
    type,
    size: sizeBytes,
    mode: mode.toString(8).padStart(4, '0'),
    uid,
    gid,
    mtime: decimalSeconds(entry),
    ...(link === null ? {} : { link: link.toString() }),
    ...(link === null || isUtf8(link) ? {} : { linkBase64: link.toString('base64') }),
    ...(device === null ? {} : { device }),
    ...(values.length === 0 ? {} : { xattrs: Object.fromEntries(values) }),
    sha256,
  };
}

/** Nanoseconds count forward, also before 1970: half a second before it is -1 seconds and 500,000,000. */
export function decimalSeconds({ mtimeSeconds, mtimeNanos }: Pick<TreeEntry, 'mtimeSeconds' | 'mtimeNanos'>): string {
  if (mtimeNanos === 0) return String(mtimeSeconds);
  const isBefore = mtimeSeconds < 0n;
  const whole = isBefore ? -(mtimeSeconds + 1n) : mtimeSeconds;
  const nanos = isBefore ? 1_000_000_000 - mtimeNanos : mtimeNanos;
  return `${isBefore ? '-' : ''}${whole}.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`;
}
