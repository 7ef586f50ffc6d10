import { z } from 'zod';

/** The JSON of the audit, as `schema.ts` has that of the rest. */

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
const text = z.string().optional();

export const auditLogQuery = z.strictObject({
  actor: text.describe('Who wrote: the whole name'),
  repo: text,
  ref: text.describe('refs/heads/…, heads/…, refs/tags/… or tags/…; with `repo` also bare'),
  commit: text.describe('A commit that was made, moved to or moved from: the whole id; with `repo` any revision'),
  outcome: text.describe('accepted, rejected, none, or the code of a rejection'),
  since: text.describe(
    'A time: 2026-11-01T00:00:00Z, 3.days.ago, yesterday; or a position, of a log of one partition or with `repo`',
  ),
  until: text.describe('The same'),
  limit: z.coerce.number().int().min(1).optional().describe('At most so many'),
});

export const auditRecord = z.object({
  type: z.literal('record'),
  position: z.string(),
  time: z.string().describe("The log's time"),
  event: z.string().describe('The type of the record'),
  outcome: z.string().describe('accepted, none, or rejected:CODE'),
  message: z.string().nullable().describe('Why it was rejected'),
  actor: z.object({ name: z.string(), verified: z.boolean() }).nullable(),
  repo: z.string().nullable(),
  operation: z.string().nullable(),
  reason: z.string().nullable(),
  requestId: z.string().nullable().describe('Varve-Request-Id of the request that wrote it'),
  txid: z.string().nullable(),
  moves: z.array(
    z.object({ ref: z.string(), from: hex64.nullable(), to: hex64.nullable(), version: z.number().nullable() }),
  ),
  commits: z.array(hex64).describe('New with it'),
});

export const auditProofQuery = z.strictObject({
  repo: text,
  ref: text.describe('A branch or tag; with `repo`'),
  at: text.describe('A time or a position; without it, now'),
  record: text.describe('A position: a proof of that record instead'),
});

export const consistencyQuery = z.strictObject({
  from: z.coerce.number().int().min(1).describe('Records of the older checkpoint'),
  to: z.coerce.number().int().min(1).describe('Records of the younger one'),
  partition: z.coerce.number().int().min(0).default(0),
});

export const consistency = z.object({
  from: z.number(),
  to: z.number(),
  path: z.array(z.string()).describe('Hashes in base64, as RFC 9162 2.1.4 has them'),
});

export const partitionQuery = z.strictObject({
  partition: z.coerce
    .number()
    .int()
    .min(0)
    .default(0)
    .describe('Of a log that has several; their number: the tree over their checkpoints'),
});
