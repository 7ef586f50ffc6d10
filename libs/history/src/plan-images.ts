import type { CommitId } from '#core/commit';
import { type ChainId, type DiffId, emptyChainId, extendChain } from '#core/digest';
import { VarveError } from '#core/error';
import { planRootfs } from '#union/rootfs-plan';
import { TreeStore } from '#union/tree-store';
import type { LoadStaging } from './load-staging.js';
import type { ImageTarget, RepositoryTarget } from './load-target.js';

const cacheBytes = 64 << 20;

/**
 * Plans the tree of every new commit, so that none is proposed that cannot be checked out. Trees are kept beside the
 * shared ones: an index that is only staged is known to this load alone, and must be found again when the tree on it
 * was dropped from the cache.
 * @throws LAYER_INVALID, LIMIT_EXCEEDED: the message names the image, detail.stack its layers up to the one at fault
 */
export async function planImages(
  { repo, images }: RepositoryTarget,
  isNew: ReadonlySet<CommitId>,
  staging: LoadStaging,
): Promise<void> {
  const trees = new TreeStore({ loadIndex: async (_repo, diffId) => staging.indexOf(diffId), cacheBytes });
  const planned = new Set<ChainId>([emptyChainId]);
  for (const image of images) {
    const stack: DiffId[] = [];
    let chain = emptyChainId;
    for (const { id, commit } of image.commits) {
      for (const diffId of commit.layers) {
        chain = extendChain(chain, diffId);
        stack.push(diffId);
      }
      if (!isNew.has(id) || planned.has(chain)) continue;
      planned.add(chain);
      try {
        planRootfs(await trees.tree(repo, stack));
      } catch (cause) {
        throw inMessage(cause, image, stack);
      }
    }
  }
}

function inMessage(cause: unknown, { title, layers }: ImageTarget, stack: readonly DiffId[]): unknown {
  if (!(cause instanceof VarveError)) return cause;
  const message = `${title}, layer ${stack.length} of ${layers.length} (${stack.at(-1)}): ${cause.message}`;
  return new VarveError(cause.code, message, { ...cause.detail, image: title, stack: [...stack] }, { cause });
}
