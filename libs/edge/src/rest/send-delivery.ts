import type { FastifyReply, FastifyRequest } from 'fastify';
import { VarveError } from '#core/error';
import type { CommitRow } from '#core/graph-row';
import type { RootfsFormat } from '#core/job';
import { deliverTarball, wishOf } from '../command/deliver-tarball.js';
import type { Engine } from '../engine.js';
import { conditionsOf, isKnown } from './ranged-bytes.js';
import { renderJob } from './render-job.js';
import { sendHeaders } from './send-bytes.js';
import { redirectHeaders } from './tarball-headers.js';
import { departure } from './upload.js';

/** Enough for most images, and shorter than what stands between waits for an answer. */
const standardWaitSeconds = 10;
const waitSecondsMax = 60;

interface Asked {
  readonly engine: Engine;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/**
 * Answers with a redirect to the tarball: 307, for the method stays GET and no cache keeps it; 202 with the job while it
 * is made; 304 when the client has it. HEAD waits for nothing.
 * @throws REQUEST_INVALID (a Prefer that says no number), and what delivering throws
 * @see RFC 7240 section 4
 */
export async function sendDelivery(
  { engine, request, reply }: Asked,
  commit: CommitRow,
  format: RootfsFormat,
): Promise<void> {
  const wish = wishOf(commit, format);
  const headers = { 'varve-commit': commit.id };
  if (isKnown(conditionsOf(request), `"${wish.name}"`)) {
    return sendHeaders(reply, 304, { ...headers, etag: `"${wish.name}"` });
  }
  const seconds = request.method === 'HEAD' ? 0 : waitSecondsOf(request.headers['prefer']);
  const delivery = await deliverTarball(engine, wish, { waitMs: seconds * 1_000, signal: departure(reply) });
  if (delivery.type === 'ready') {
    return sendHeaders(reply, 307, { ...headers, ...redirectHeaders(delivery.tarball, delivery.url) });
  }
  const { job } = delivery;
  await reply
    .status(202)
    .headers({ ...headers, location: `/api/v1/jobs/${job.id}`, 'retry-after': '1', 'cache-control': 'no-store' })
    .send(renderJob(job, undefined));
}

function waitSecondsOf(prefer: string | string[] | undefined): number {
  const preferences = String(prefer ?? '')
    .split(',')
    .map((part) => part.trim().toLowerCase());
  if (preferences.includes('respond-async')) return 0;
  const wait = preferences.find((part) => /^wait\s*=/.test(part));
  if (wait === undefined) return standardWaitSeconds;
  const seconds = /^wait\s*=\s*"?(\d{1,9})"?$/.exec(wait)?.[1];
  if (seconds === undefined) {
    throw new VarveError('REQUEST_INVALID', `Prefer says "${wait}": expected wait=SECONDS`, { prefer: String(prefer) });
  }
  return Math.min(Number(seconds), waitSecondsMax);
}
