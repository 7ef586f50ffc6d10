import { z } from 'zod';
import { limit } from '#core/limit';

/** Every JSON body and answer of the REST door, once: checked by it, and told by the OpenAPI document. */

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const instant = z.string().describe('RFC 3339, in UTC');
const count = z.int().min(0);
const bytes = count;
const position = z.string().describe('<log>.<partition>.<offset>: a place in the event log');
const refName = z.string().describe('refs/heads/… or refs/tags/…');

const actor = z.object({ name: z.string(), verified: z.boolean() });
const platform = z.object({ architecture: z.string(), os: z.string(), variant: z.string().nullable() });
const descriptor = z.object({ mediaType: z.string(), digest, size: bytes });

export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: count,
  code: z.string().describe('A stable word; the only part for programs to decide by'),
  detail: z.string(),
  fields: z.record(z.string(), z.unknown()).describe('What was expected and what was found'),
  retryAfter: z.number().optional().describe('Seconds; absent where asking again is of no use'),
  suggestions: z.array(z.string()).optional(),
});

export const about = z.object({
  product: z.literal('varve'),
  version: z.string(),
  log: z.string().describe('The id of the event log'),
  position,
});

export const repository = z.object({
  repo: z.string(),
  defaultBranch: refName,
  commits: count,
  moves: count,
  createdAt: instant,
});
export const repositories = z.object({ repositories: z.array(repository) });

export const newRepository = z.strictObject({
  repo: z.string(),
  defaultBranch: z.string().default('main').describe('The name of a branch'),
  reason: z.string().optional(),
});

/** What every write answers. */
const written = {
  position,
  replayed: z.boolean().describe('An earlier request with the same Idempotency-Key did it'),
};
export const createdRepository = z.object({ ...repository.shape, ...written });

export const ref = z.object({
  ref: refName,
  name: z.string().describe('Without refs/heads/ or refs/tags/'),
  type: z.enum(['branch', 'tag']),
  commit: hex64,
  version: count.describe('Grows with every move and survives deletion'),
});
export const refs = z.object({ refs: z.array(ref) });

export const refMove = z.strictObject({
  to: z.string().describe('A revision'),
  mode: z.enum(['ff', 'force']).default('ff').describe('ff: the new commit descends from the old one. force: any'),
  reason: z.string().default(''),
  operation: z.enum(['branch', 'tag', 'reset', 'update']).optional().describe('What the reflog calls the move'),
});
export const rollback = z.strictObject({
  ref: z.string().describe('A branch or tag'),
  to: z.string().describe('A revision; @{n} counts in the reflog of the ref'),
  reason: z.string().default(''),
  moveTag: z.boolean().default(false).describe('Needed when the ref is a tag'),
});
export const movedRef = z.object({
  ...ref.shape,
  commit: hex64.nullable().describe('null: the ref is deleted'),
  from: hex64.nullable().describe('What it pointed at before; null: it did not exist'),
  changed: z.boolean().describe('false: it was there already, and nothing was written'),
  ...written,
});

export const refBatch = z.strictObject({
  updates: z
    .array(
      z.strictObject({
        ref: z.string().describe('refs/heads/…, heads/…, refs/tags/… or tags/…'),
        to: z.string().nullable().describe('A revision; null deletes the ref'),
        mode: refMove.shape.mode,
        expect: z.string().optional().describe('<commit>.<version> that the ref must have, `absent`, or `present`'),
      }),
    )
    .min(1)
    .max(limit.refUpdatesPerRecordMax),
  reason: z.string().default(''),
});
const { position: _position, replayed: _replayed, ...movedShape } = movedRef.shape;
export const movedRefs = z.object({ refs: z.array(z.object(movedShape)), ...written });
export const restore = z.strictObject({
  ref: z.string().describe('refs/heads/…, heads/…, refs/tags/… or tags/…'),
  reason: z.string().default(''),
});

export const reflogMove = z.object({
  ref: refName,
  version: count,
  from: hex64.nullable(),
  to: hex64.nullable(),
  operation: z.string(),
  reason: z.string(),
  actor,
  txid: z.string(),
  position,
  time: instant,
});
export const reflog = z.object({
  moves: z.array(reflogMove),
  before: count.nullable().describe('Ask for the next page with it; null: this was the last'),
});

export const loggedCommit = z.object({
  id: hex64,
  parents: z.array(hex64),
  message: z.string(),
  author: z.string(),
  committer: z.string(),
  time: instant.nullable(),
  labels: z.record(z.string(), z.string()),
  layers: z.array(digest).describe('diffIDs put on the first parent, oldest first'),
  platform: platform.nullable(),
  origin: z.object({ v1Id: hex64.optional(), importOf: digest.optional() }).nullable(),
  refs: z.array(refName).describe('That point at it now'),
  ownBytes: bytes.describe('Uncompressed tar bytes of its layers'),
  virtualBytes: bytes.describe('The same, of its whole stack'),
  stackLayers: count.describe('Layers of its whole stack'),
  chainId: digest,
  depth: count.describe('First-parent ancestors'),
  position,
});
export const log = z.object({
  commits: z.array(loggedCommit),
  cursor: z.string().nullable().describe('Ask for the next page with it; null: this was the last'),
});
export const shownCommit = z.object({
  ...loggedCommit.shape,
  base: z.enum(['parent', 'empty']),
  config: digest.nullable(),
  manifest: descriptor.nullable(),
  index: z.array(z.object({ platform, commit: hex64 })).nullable(),
  configuration: z.unknown().describe('The image configuration, or null'),
  warning: z.string().nullable(),
});
export const resolved = z.object({
  commit: hex64,
  ref: refName.nullable().describe('When the revision is a ref and nothing more'),
  warning: z.string().nullable().describe('When another ref has the same name'),
});

export const treeNode = z.object({
  id: hex64,
  parents: z.array(hex64),
  subject: z.string().describe('The first line of the message, at most 200 characters'),
  time: instant.nullable(),
  v1Id: hex64.nullable(),
  ownBytes: bytes,
  virtualBytes: bytes,
  places: z.array(z.object({ repo: z.string(), refs: z.array(refName) })),
});
export const treeView = z.object({ nodes: z.array(treeNode).describe('Parents before children') });

export const newCommitQuery = z.strictObject({
  message: z.string().optional(),
  author: z.string().optional(),
  time: z.string().optional().describe('RFC 3339, in UTC'),
  label: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .describe('key=value; may be given again'),
  layer: z
    .string()
    .optional()
    .describe('The diffID of a layer that the repository has already, or its first digits: instead of a body'),
  expect: z.string().optional().describe('<commit>.<version> that the branch must have, as If-Match'),
  reason: z.string().optional(),
});
export const createdCommit = z.object({
  commit: hex64,
  ref: refName,
  version: count,
  layer: z
    .object({ diffId: digest, digest, sizeBytes: bytes, tarBytes: bytes, mediaType: z.string() })
    .nullable()
    .describe('null: the commit has metadata alone'),
  ...written,
});

export const loaded = z.object({
  images: z.array(
    z.object({
      repo: z.string(),
      title: z.string().describe('As the archive calls it'),
      refs: z.array(refName),
      commit: hex64.describe('What the refs point at'),
      commits: count,
      commitsNew: count,
      layers: count,
      layersNew: count,
      virtualBytes: bytes,
    }),
  ),
  repositories: z.array(
    z.object({
      repo: z.string(),
      isNew: z.boolean(),
      commitsNew: count,
      layersNew: count,
      bytesStored: bytes.describe('Of the new blobs, as they came'),
      ...written,
    }),
  ),
  bytesRead: bytes.describe('Of the archive, as it came'),
  warnings: z.array(z.string()).describe('What was in the archive and passed over'),
});

export const transaction = z.object({
  txid: z.string(),
  repo: z.string().nullable(),
  position,
  time: instant,
  outcome: z.enum(['accepted', 'rejected']),
  commits: z.array(hex64),
  moves: z.array(z.object({ ref: refName, commit: hex64.nullable(), version: count })),
  error: z.object({ code: z.string(), detail: z.string(), fields: z.record(z.string(), z.unknown()) }).nullable(),
});

export const transactionQuery = z.object({
  repo: z.string().optional(),
  gcEpoch: z.coerce.number().int().nonnegative().optional(),
});
export const cancelledTransaction = z.strictObject({ repo: z.string(), gcEpoch: count.optional() });

export const watchedEvent = z.object({
  position,
  time: instant,
  type: z.string().describe('Of the record, such as ref.update.v1'),
  txid: z.string(),
  repo: z.string(),
  actor: actor.nullable().describe('null: the record could not be read'),
  operation: z.string().nullable().describe('What the reflog calls it; null for what moves no refs by itself'),
  reason: z.string().nullable(),
  outcome: transaction.shape.outcome,
  commits: transaction.shape.commits,
  moves: transaction.shape.moves,
  error: transaction.shape.error,
});

export const state = z.object({
  log: z.string(),
  partitions: z.array(z.object({ position: position.nullable(), stateDigest: hex64, time: instant })),
  repositories: count,
  commits: count,
  moves: count,
});
export const rebuilt = z.object({
  records: count,
  stateDigest: hex64,
  sameAsBefore: z.boolean(),
  position: position.nullable(),
});
const copies = z.object({ count, bytes: count });
export const collected = z.object({
  dryRun: z.boolean(),
  gcId: z.string().nullable().describe('Names the run in its records; null when nothing was appended'),
  epochs: z.array(count).describe('The last fence of each partition'),
  stored: copies,
  candidates: copies.describe('Old enough, and named by nothing when they were listed'),
  kept: copies.describe('Candidates that a proposal has named since'),
  removed: copies,
  forgotten: count.describe('Rows of removed copies that the graph has let go'),
  copies: z
    .array(z.object({ digest, incarnation: z.string(), size: count, storedAt: z.string() }))
    .describe('Those removed, the first 1000'),
  derived: z
    .array(z.object({ kind: z.string(), stored: copies, removed: copies }))
    .describe('What can be made again: what there is, and what came from nothing that there still is'),
  uploads: z
    .object({ staged: copies, removed: copies })
    .describe('What is staged, and what of it belonged to no upload any more'),
});
export const health = z.object({
  status: z.enum(['ok', 'failed']),
  reason: z.string().optional(),
  lag: z
    .number()
    .int()
    .optional()
    .describe('Of a projector: records of the event log that the graph does not show yet'),
});
