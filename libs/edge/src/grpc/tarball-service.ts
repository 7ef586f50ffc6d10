import { VarveError } from '#core/error';
import { parseRepositoryName } from '#core/name';
import {
  type EnsureTarballRequest,
  type EnsureTarballResponse,
  type ReadTarballRequest,
  type ReadTarballResponse,
  TarballServiceService,
  type TarballServiceServer,
} from '#proto/gen/varve/v1/job';
import { deliverTarball, knownTarball, wishOf } from '../command/deliver-tarball.js';
import { openTarball } from '../command/open-tarball.js';
import { rootfsCommit } from '../command/rootfs.js';
import type { Engine } from '../engine.js';
import { instant } from '../rest/answer.js';
import type { Calls } from './calls.js';
import { contentMessages } from './content.js';
import { jobMessage } from './job-service.js';
import { rootfsFormats } from './rootfs-format.js';
import type { Served } from './served.js';

const waitSeconds = { standard: 10, max: 60 };

export function tarballService(engine: Engine, calls: Calls): Served {
  const server: TarballServiceServer = {
    // The commit may be asked for as of another moment.
    ensureTarball: calls.ask((asked, { engine: then, signal }) => ensure(then, asked, signal)),
    readTarball: calls.stream((asked) => read(engine, asked)),
  };
  return { definition: TarballServiceService, server };
}

async function ensure(
  engine: Engine,
  asked: EnsureTarballRequest,
  signal: AbortSignal,
): Promise<EnsureTarballResponse> {
  const { rev, platform, format } = asked;
  const commit = await rootfsCommit(engine, parseRepositoryName(asked.repo), { rev, platform });
  const wish = wishOf(commit, rootfsFormats[format]);
  const place = { commit: commit.id, name: wish.name };
  const delivery = await deliverTarball(engine, wish, { waitMs: waitMsOf(asked), signal });
  if (delivery.type === 'job')
    return { ...place, what: { $case: 'job', value: await jobMessage(engine, delivery.job) } };
  const { sizeBytes, digest, createdAt } = delivery.tarball;
  const value = { url: delivery.url, sizeBytes, digest, createdAt: instant(createdAt) };
  return { ...place, what: { $case: 'tarball', value } };
}

/** @throws REQUEST_INVALID */
function waitMsOf({ waitSeconds: given = waitSeconds.standard }: EnsureTarballRequest): number {
  if (given >= 0) return Math.min(given, waitSeconds.max) * 1_000;
  throw new VarveError('REQUEST_INVALID', `wait_seconds is ${given}: expected 0 to ${waitSeconds.max}`, { given });
}

async function* read(engine: Engine, { name, part }: ReadTarballRequest): AsyncGenerator<ReadTarballResponse> {
  const tarball = await knownTarball(engine, name);
  for await (const { head, chunk } of contentMessages(
    { etag: `"${name}"`, open: () => openTarball(engine, tarball) },
    part,
  )) {
    yield { part: head ? { $case: 'head', value: head } : { $case: 'chunk', value: chunk } };
  }
}
