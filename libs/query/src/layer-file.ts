import { hexOf } from '#core/digest';
import { VarveError } from '#core/error';
import type { LayerRow } from '#core/graph-row';
import type { RepositoryName } from '#core/name';
import {
  dataBlockOf,
  isSparse,
  type LayerEntries,
  linkOf,
  PathCursor,
  rowOf,
  typeNumber,
  typeOf,
} from '#tar/layer-entries';
import type { LayerIndex } from '#tar/layer-index';
import { type FileContent, notContent, ofBytes, segmentsOf } from './cat.js';
import type { FileSources } from './commit-tree.js';
import { lastEntryAt, type LayerEntry, layerEntryOf } from './layer-entry.js';
import { shownPath } from './path-argument.js';
import { similarNames } from './similar-names.js';
import { streamContent } from './stored-content.js';

const blockBytes = 512;
/** Hardlinks of hardlinks are followed so far. */
const linksMax = 40;
const comparedMax = 10_000;

/** The content of one path of one layer alone. */
export interface LayerFile extends Omit<FileContent, 'commit' | 'warning' | 'entry'> {
  readonly entry: LayerEntry;
}

/**
 * The bytes a layer alone has at a path: of the last entry with it; of a hardlink the bytes of the path it names; of a
 * symlink its target. @throws PATH_UNKNOWN, REQUEST_INVALID for what has no content; reading: CORRUPT, UNAVAILABLE
 */
export async function readLayerFile(
  { layers }: Pick<FileSources, 'layers'>,
  repo: RepositoryName,
  { layer, path }: { readonly layer: LayerRow; readonly path: Buffer },
): Promise<LayerFile> {
  const index = await layers.index(repo, layer.diffId);
  const number = contentEntry(index, layer, path);
  const entry = layerEntryOf(index, number, path);
  if (entry.type === 'symlink' && entry.link) return { entry, ...ofBytes(entry.link) };
  if (entry.type !== 'file') throw notContent(entry);
  const { entries } = index;
  const content = {
    diffId: layer.diffId,
    sizeBytes: entry.sizeBytes,
    position: dataBlockOf(entries, number) * blockBytes,
    segments: isSparse(entries, number) ? segmentsOf(entries, rowOf(entries.sparseEntry, number)) : null,
    sha256: entry.sha256,
  };
  return {
    entry,
    sizeBytes: content.sizeBytes,
    tag: entry.sha256 ?? `entry-${hexOf(layer.diffId)}-${number}`,
    read: (from, to) => streamContent(content, (diffId) => layers.open(repo, diffId), { from, to }),
  };
}

function contentEntry({ entries }: LayerIndex, { diffId }: LayerRow, path: Buffer): number {
  let at: Uint8Array = path;
  for (let links = 0; links < linksMax; links++) {
    const entry = lastEntryAt(entries, at);
    if (entry === -1) throw notInLayer({ entries, diffId, path }, at);
    if (typeOf(entries, entry) !== typeNumber.hardlink) return entry;
    at = linkOf(entries, entry);
  }
  throw new VarveError('REQUEST_INVALID', `"${shownPath(path)}" is a hardlink in a circle`, { path: shownPath(path) });
}

interface Asked {
  readonly entries: LayerEntries;
  readonly diffId: string;
  readonly path: Buffer;
}

function notInLayer({ entries, diffId, path }: Asked, at: Uint8Array): VarveError {
  const shown = shownPath(path);
  const where = `layer ${diffId}`;
  if (Buffer.compare(path, at) !== 0) {
    const message = `"${shown}" is a hardlink to "${shownPath(at)}", which ${where} does not have`;
    return new VarveError('PATH_UNKNOWN', message, { path: shown, layer: diffId });
  }
  const names: string[] = [];
  const cursor = new PathCursor(entries);
  for (let entry = 0; entry < Math.min(entries.count, comparedMax); entry++) {
    cursor.next();
    if (cursor.length < 256) names.push(Buffer.from(cursor.view).toString());
  }
  const detail = { path: shown, layer: diffId, suggestions: shown.length < 256 ? similarNames(shown, names) : [] };
  return new VarveError('PATH_UNKNOWN', `${where} has no path "${shown}"`, detail);
}
