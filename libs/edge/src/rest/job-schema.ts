import { z } from 'zod';
import { jobStates, rootfsFormats } from '#core/job';

const bytes = z.number().int();
const count = z.number().int();
const instant = z.string().describe('RFC 3339, UTC');

export const tarball = z.object({
  url: z.string().describe('Where to fetch it, as long as it is kept; relative to the server'),
  sizeBytes: bytes,
  digest: z.string().describe('sha256 of its bytes'),
  createdAt: instant,
});

export const job = z.object({
  id: z.string().describe('32 hex digits'),
  state: z
    .enum(jobStates)
    .describe('failed: it would fail again, and a wish within a minute is answered so. dead: set aside until retried'),
  repo: z.string(),
  commit: z.string(),
  format: z.enum(rootfsFormats),
  name: z.string().describe('Of the tarball; in quotes it is its ETag'),
  createdAt: instant,
  changedAt: instant,
  nextTryAt: instant.nullable().describe('Of one that waits'),
  worker: z.string().nullable().describe('Who runs it, or ran it last'),
  attempts: count.describe('Tries that ended in an error'),
  lostLeases: count.describe('Workers that fell silent over it'),
  cancelRequested: z.boolean(),
  progress: z
    .object({
      phase: z.enum(['planning', 'writing', 'verifying']),
      doneBytes: bytes,
      totalBytes: bytes.nullable(),
    })
    .nullable()
    .describe('Of one that runs; while it is written, in bytes of the plain tar'),
  failure: z.object({ code: z.string(), message: z.string() }).nullable().describe('The last one'),
  tarball: tarball.nullable().describe('What lies ready'),
});

export const jobs = z.object({ jobs: z.array(job), cursor: z.string().nullable().describe('For the page behind it') });
