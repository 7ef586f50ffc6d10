import { parseRepositoryName } from '#core/name';
import {
  type CheckoutRequest,
  type CheckoutResponse,
  CheckoutServiceService,
  type CheckoutServiceServer,
} from '#proto/gen/varve/v1/checkout';
import { compressedRootfs, openRootfs, rootfsCommit, rootfsTag } from '../command/rootfs.js';
import type { Engine } from '../engine.js';
import { rootfsVariant } from '../rest/rootfs-variant.js';
import type { Calls } from './calls.js';
import { contentMessages, streamMessages } from './content.js';
import { rootfsFormats } from './rootfs-format.js';
import type { Served } from './served.js';

export function checkoutService(calls: Calls): Served {
  const server: CheckoutServiceServer = {
    checkout: calls.stream((asked, { engine }) => checkout(engine, asked)),
  };
  return { definition: CheckoutServiceService, server };
}

async function* checkout(engine: Engine, asked: CheckoutRequest): AsyncGenerator<CheckoutResponse> {
  const { rev, platform, part } = asked;
  const commit = await rootfsCommit(engine, parseRepositoryName(asked.repo), { rev, platform });
  const { compression, tagSuffix } = rootfsVariant(rootfsFormats[asked.format], {});
  const etag = rootfsTag(commit, tagSuffix);
  const messages =
    compression === null
      ? contentMessages({ etag, open: () => openRootfs(engine, commit) }, part)
      : streamMessages(etag, part, () => compressedRootfs(engine, commit, compression));
  for await (const { head, chunk } of messages) {
    if (head) yield { part: { $case: 'head', value: { commit: commit.id, content: head } } };
    else yield { part: { $case: 'chunk', value: chunk } };
  }
}
