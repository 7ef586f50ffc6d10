import type { CommitId } from '#core/commit';
import { type ChainId, chainIdOf, type DiffId, emptyChainId, extendChain } from '#core/digest';
import { isVarveError, VarveError } from '#core/error';
import { stackOfLayers } from '#core/layer-stack';
import { mergeLayerInTurns } from '#union/merge-trees';
import { planRootfsInTurns } from '#union/rootfs-plan';
import type { RootfsTree } from '#union/rootfs-tree';
import { TreeStore } from '#union/tree-store';
import type { LoadStaging } from './load-staging.js';
import type { ImageTarget, RepositoryTarget } from './load-target.js';

const cacheBytes = 64 << 20;

/**
 * Plans the tree of every new commit, so that none is proposed that cannot be checked out. One pass up the layers of
 * each image, from the highest tree that an earlier image has planned; so however large the trees are, nothing is
 * merged again for each layer on top of it.
 *
 * The trees are not the shared ones: an index that is only staged is known to this load alone.
 * @throws LAYER_INVALID, LIMIT_EXCEEDED: the message names the image, detail.stack its layers up to the one at fault
 */
export async function planImages(
  { repo, images }: RepositoryTarget,
  isNew: ReadonlySet<CommitId>,
  staging: LoadStaging,
): Promise<void> {
  const trees = new TreeStore({ loadIndex: async (_repo, diffId) => staging.indexOf(diffId), cacheBytes });
  const planned = new Set<ChainId>([emptyChainId]);
  for (const { image, stack } of stacksToPlan(images, isNew)) {
    const depth = plannedDepth(stack, planned);
    let tree = await trees.tree(repo, stackOfLayers(stack.slice(0, depth)));
    let chain = chainIdOf(stack.slice(0, depth));
    for (let at = depth; at < stack.length; at += 1) {
      tree = await plannedOn(tree, at, { image, stack, staging });
      chain = extendChain(chain, stack[at] as DiffId);
      planned.add(chain);
    }
  }
}

function* stacksToPlan(
  images: readonly ImageTarget[],
  isNew: ReadonlySet<CommitId>,
): Generator<{ readonly image: ImageTarget; readonly stack: readonly DiffId[] }> {
  for (const image of images) {
    if (!image.commits.some(({ id }) => isNew.has(id))) continue;
    for (const stack of image.stacks) yield { image, stack: stack.map(({ diffId }) => diffId) };
  }
}

/** How many layers of a stack, from below, have a plan already. */
function plannedDepth(stack: readonly DiffId[], planned: ReadonlySet<ChainId>): number {
  let chain = emptyChainId;
  for (const [depth, diffId] of stack.entries()) {
    chain = extendChain(chain, diffId);
    if (!planned.has(chain)) return depth;
  }
  return stack.length;
}

/** The tree with layer `at` of the stack on it. */
async function plannedOn(
  below: RootfsTree,
  at: number,
  { image, stack, staging }: { image: ImageTarget; stack: readonly DiffId[]; staging: LoadStaging },
): Promise<RootfsTree> {
  const diffId = stack[at] as DiffId;
  const index = await staging.indexOf(diffId);
  try {
    const tree = await mergeLayerInTurns(below, { diffId, index });
    await planRootfsInTurns(tree);
    return tree;
  } catch (cause) {
    if (!isVarveError(cause)) throw cause;
    const message = `${image.title}, layer ${at + 1} of ${stack.length} (${diffId}): ${cause.message}`;
    const detail = { ...cause.detail, image: image.title, layer: diffId, stack: stack.slice(0, at + 1) };
    throw new VarveError(cause.code, message, detail, { cause });
  }
}
