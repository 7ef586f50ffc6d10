import { absent } from './absent.js';
import type { Attributes } from '#proto/gen/varve/v1/entry';
import { EntryType } from '#proto/gen/varve/v1/entry';
import { type Change, ChangeClass } from '#proto/gen/varve/v1/diff';
import { EntryRole, type Layer, type LayerEntry as LayerEntryMessage } from '#proto/gen/varve/v1/layer';
import type { TreeEntry as TreeEntryMessage } from '#proto/gen/varve/v1/tree';
import type { Change as FoundChange, ChangeClass as FoundClass } from '#query/changes';
import type { ShownLayer } from '#query/layer-content';
import type { LayerEntry, LayerRole } from '#query/layer-entry';
import type { TreeEntry } from '#query/tree-entry';
import { decimalSeconds, renderLayer } from '../rest/render-entry.js';

/** What questions about files answer, as messages: paths, link targets and values are bytes here. */

export const entryTypes = {
  file: EntryType.ENTRY_TYPE_FILE,
  directory: EntryType.ENTRY_TYPE_DIRECTORY,
  symlink: EntryType.ENTRY_TYPE_SYMLINK,
  hardlink: EntryType.ENTRY_TYPE_HARDLINK,
  char: EntryType.ENTRY_TYPE_CHAR,
  block: EntryType.ENTRY_TYPE_BLOCK,
  fifo: EntryType.ENTRY_TYPE_FIFO,
} as const satisfies Record<TreeEntry['type'], EntryType>;

const roles: Readonly<Record<LayerRole, EntryRole>> = {
  node: EntryRole.ENTRY_ROLE_NODE,
  whiteout: EntryRole.ENTRY_ROLE_WHITEOUT,
  opaque: EntryRole.ENTRY_ROLE_OPAQUE,
  aufs: EntryRole.ENTRY_ROLE_AUFS,
};

const classes: Readonly<Record<FoundClass, ChangeClass>> = {
  A: ChangeClass.CHANGE_CLASS_ADDED,
  M: ChangeClass.CHANGE_CLASS_CONTENT,
  m: ChangeClass.CHANGE_CLASS_METADATA,
  D: ChangeClass.CHANGE_CLASS_DELETED,
  T: ChangeClass.CHANGE_CLASS_TYPE,
  S: ChangeClass.CHANGE_CLASS_SHADOW,
};

export function entryMessage(entry: TreeEntry): TreeEntryMessage {
  return { path: entry.path, attributes: attributesOf(entry, entry.layer) };
}

export function layerEntryMessage(entry: LayerEntry): LayerEntryMessage {
  return {
    path: entry.path,
    attributes: attributesOf(entry, null),
    role: roles[entry.role],
    offset: entry.offset,
  };
}

export function changeMessage({ class: kind, before, after, changed }: FoundChange): Change {
  return {
    kind: classes[kind],
    path: (after ?? before)?.path ?? Buffer.alloc(0),
    before: before ? attributesOf(before, before.layer) : undefined,
    after: after ? attributesOf(after, after.layer) : undefined,
    changed: [...changed],
  };
}

export function layerMessage(shown: ShownLayer): Layer {
  return absent(renderLayer(shown));
}

/** About how many bytes an entry takes in a message. */
export function entryBytes({ path, link, xattrs }: Omit<TreeEntry, 'layer'>): number {
  let bytes = 200 + path.length + (link?.length ?? 0);
  for (const [name, value] of xattrs) bytes += name.length + value.length;
  return bytes;
}

function attributesOf(entry: Omit<TreeEntry, 'layer'>, layer: string | null): Attributes {
  const { type, sizeBytes, mode, uid, gid, link, device, xattrs, sha256 } = entry;
  return {
    type: entryTypes[type],
    size: sizeBytes,
    mode,
    uid,
    gid,
    mtime: decimalSeconds(entry),
    link: link ?? undefined,
    device: device ?? undefined,
    xattrs: Object.fromEntries(xattrs),
    sha256: sha256 ?? undefined,
    layer: layer ?? undefined,
  };
}
