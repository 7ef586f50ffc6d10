import { z } from 'zod';

/** The JSON answers of questions about files, and the queries that ask them. Streams are lines of JSON, each with a `type`. */

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const bytes = z.int().min(0);

export const flag = z.enum(['true', 'false', '1', '0']).default('false');
export function isSet(value: z.infer<typeof flag>): boolean {
  return value === 'true' || value === '1';
}

/** A path in a query: as text, or as base64 when it is no UTF-8. */
export const pathQuery = {
  path: z.string().optional().describe('Relative to the root; without it the root'),
  pathBase64: z.base64().optional().describe('The same as bytes, for names that are no UTF-8'),
};

const entryType = z.enum(['file', 'directory', 'symlink', 'hardlink', 'char', 'block', 'fifo']);
const attributes = {
  type: entryType,
  size: bytes.describe('Bytes of content; 0 for what is no file'),
  mode: z.string().describe('Four octal digits'),
  uid: z.int(),
  gid: z.int(),
  mtime: z.string().describe('Seconds since 1970, with up to nine decimals'),
  link: z.string().optional().describe('The target of a symlink'),
  linkBase64: z.string().optional().describe('Only when the target is no UTF-8'),
  device: z.object({ major: z.int(), minor: z.int() }).optional(),
  xattrs: z.record(z.string(), z.string()).optional().describe('Values as base64'),
  sha256: digest.nullable().describe('Of a file; null for what is none, and for files that are nearly all holes'),
};
const named = {
  path: z.string().describe('Relative to the root; lossy when it is no UTF-8'),
  pathBase64: z.string().optional().describe('Only when the path is no UTF-8'),
};
const state = z.object({ ...attributes, layer: digest.nullable().describe('The layer it is from') });

export const treeEntry = z.object({ ...named, ...state.shape });
export const treeListing = z.object({
  commit: hex64,
  warning: z.string().nullable(),
  entries: z.array(treeEntry),
  cursor: z.string().nullable().describe('Ask for the next page with it; null: this was the last'),
});

export const foundLine = z.discriminatedUnion('type', [
  z.object({ type: z.literal('head'), commit: hex64, warning: z.string().nullable() }),
  z.object({ type: z.literal('entry'), entry: treeEntry }),
  z.object({ type: z.literal('summary'), entries: z.int() }),
]);

export const changeClass = z.enum(['A', 'M', 'm', 'D', 'T', 'S']);
export const diffLine = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('head'),
    from: hex64.nullable().describe('null: the empty tree'),
    to: hex64,
    warnings: z.array(z.string()),
    layers: z.object({ shared: z.int(), removed: z.array(digest), added: z.array(digest) }),
    config: z.array(z.object({ pointer: z.string(), before: z.unknown(), after: z.unknown() })),
  }),
  z.object({
    type: z.literal('change'),
    class: changeClass,
    ...named,
    before: state.nullable(),
    after: state.nullable(),
    changed: z.array(z.enum(['content', 'mode', 'owner', 'xattrs', 'mtime'])),
  }),
  z.object({
    type: z.literal('summary'),
    classes: z.record(changeClass, z.int()),
    bytesAdded: bytes.describe('Of files that are new or have other content'),
    bytesRemoved: bytes.describe('Of what they were, and of files that are gone'),
  }),
]);

const lints = z.object({
  total: z.int(),
  kept: z.array(z.object({ rule: z.string(), path: z.string(), note: z.string() })).describe('The first thousand'),
});
export const shownLayer = z.object({
  diffId: digest,
  tarBytes: bytes,
  entries: z.int(),
  whiteouts: z.int(),
  opaques: z.int(),
  encodings: z.array(z.object({ digest, size: bytes, mediaType: z.string() })),
  lints,
  firstCommit: hex64.nullable(),
});
export const layerEntry = z.object({
  ...named,
  ...attributes,
  role: z.enum(['node', 'whiteout', 'opaque', 'aufs']),
  offset: bytes.describe('Byte of the tar at which its header stands'),
});
export const layerLine = z.discriminatedUnion('type', [
  z.object({ type: z.literal('head'), diffId: digest }),
  z.object({ type: z.literal('entry'), entry: layerEntry }),
  z.object({ type: z.literal('summary'), entries: z.int() }),
]);

export const mergeBase = z.object({
  bases: z.array(hex64).describe('The best common ancestors, newest first; none when there is no common one'),
});

export const usage = z.object({
  refs: z.array(
    z.object({
      ref: z.string(),
      commit: hex64,
      layers: z.int(),
      ownBytes: bytes.describe("Of the commit's own layers"),
      virtualBytes: bytes.describe('Of its whole stack'),
      sharedBytes: bytes.describe('Of its layers that other refs have too'),
      uniqueBytes: bytes.describe('Of its layers that no other ref has'),
    }),
  ),
  layers: z.int(),
  virtualBytes: bytes.describe('Sum over the refs'),
  tarBytes: bytes.describe('All layers of all refs, each once, uncompressed'),
  storedBytes: bytes.describe('The same layers as they came'),
});

export const lintsOfCommit = z.object({
  commit: hex64,
  layers: z.array(shownLayer),
  union: lints.describe('What its layers do to those below them'),
});
