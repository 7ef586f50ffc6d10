import { type ChainId, chainIdOf, type DiffId, emptyChainId, extendChain } from '#core/digest';
import { isVarveError, VarveError } from '#core/error';
import type { RepositoryName } from '#core/name';
import type { LayerIndex } from '#tar/layer-index';
import { mergeLayer } from './merge-trees.js';
import { emptyTree, type RootfsTree, treeBytes } from './rootfs-tree.js';

export interface TreeStoreOptions {
  /** Reads the index of a layer of a repository. @throws BLOB_UNKNOWN, CORRUPT, UNAVAILABLE */
  loadIndex(repo: RepositoryName, diffId: DiffId): Promise<LayerIndex>;
  /** How much memory trees may take that nobody is using. */
  readonly cacheBytes: number;
}

/** What a plan takes beside its tree, for each node. */
const planBytesPerNode = 8;

/**
 * The merged tree of any stack. Trees are kept by chainID, the least recently used go first; a longer stack is made
 * from the longest part of it that is kept. Equal calls at one time share one merge.
 */
export class TreeStore {
  readonly #options: TreeStoreOptions;
  /** In the order of their last use. */
  readonly #kept = new Map<ChainId, RootfsTree>();
  #keptBytes = 0;
  readonly #underway = new Map<string, Promise<RootfsTree>>();

  constructor(options: TreeStoreOptions) {
    this.#options = options;
  }

  /**
   * @throws LAYER_INVALID (a layer has no meaning on those below it; detail names it as `layer`), LIMIT_EXCEEDED,
   * BLOB_UNKNOWN, CORRUPT, UNAVAILABLE
   */
  tree(repo: RepositoryName, stack: readonly DiffId[]): Promise<RootfsTree> {
    return this.#shared(stack, `tree ${repo}`, (diffId) => this.#options.loadIndex(repo, diffId));
  }

  /** The tree of a stack and one layer on top of it, whose index need not be stored yet. @throws as `tree` */
  treeWith(
    repo: RepositoryName,
    stack: readonly DiffId[],
    added: { readonly diffId: DiffId; readonly index: LayerIndex },
  ): Promise<RootfsTree> {
    const load = async (diffId: DiffId): Promise<LayerIndex> =>
      diffId === added.diffId ? added.index : await this.#options.loadIndex(repo, diffId);
    // Not shared with `tree`, which fails for a layer that is not stored.
    return this.#shared([...stack, added.diffId], `with ${repo}`, load);
  }

  /** Waits for a merge of the same stack in the same repository when there is one: another may lack the layers. */
  #shared(stack: readonly DiffId[], kind: string, load: (diffId: DiffId) => Promise<LayerIndex>): Promise<RootfsTree> {
    const chain = chainIdOf(stack);
    const kept = this.#take(chain);
    if (kept) return Promise.resolve(kept);
    const key = `${chain} ${kind}`;
    const underway = this.#underway.get(key);
    if (underway) return underway;
    const merging = this.#merge(stack, load).finally(() => this.#underway.delete(key));
    this.#underway.set(key, merging);
    return merging;
  }

  async #merge(stack: readonly DiffId[], load: (diffId: DiffId) => Promise<LayerIndex>): Promise<RootfsTree> {
    const chains = chainsOf(stack);
    let depth = stack.length;
    while (depth > 0 && !this.#kept.has(chains[depth]!)) depth--;
    let tree = depth === 0 ? emptyTree : this.#take(chains[depth]!)!;
    for (; depth < stack.length; depth++) {
      const diffId = stack[depth]!;
      tree = putOn(tree, diffId, await load(diffId));
    }
    if (stack.length > 0) this.#keep(chains[stack.length]!, tree);
    return tree;
  }

  #take(chain: ChainId): RootfsTree | undefined {
    if (chain === emptyChainId) return emptyTree;
    const tree = this.#kept.get(chain);
    if (tree) {
      this.#kept.delete(chain);
      this.#kept.set(chain, tree);
    }
    return tree;
  }

  #keep(chain: ChainId, tree: RootfsTree): void {
    if (this.#kept.has(chain)) return;
    this.#kept.set(chain, tree);
    this.#keptBytes += keptBytes(tree);
    for (const [oldest, old] of this.#kept) {
      if (this.#keptBytes <= this.#options.cacheBytes) break;
      this.#kept.delete(oldest);
      this.#keptBytes -= keptBytes(old);
    }
  }
}

function putOn(tree: RootfsTree, diffId: DiffId, index: LayerIndex): RootfsTree {
  try {
    return mergeLayer(tree, { diffId, index });
  } catch (cause) {
    if (!isVarveError(cause)) throw cause;
    const where = `layer ${diffId}, number ${tree.layers.length} of its stack`;
    throw new VarveError(cause.code, `${where}: ${cause.message}`, { ...cause.detail, layer: diffId }, { cause });
  }
}

/** The chainID of every prefix of a stack, by its length. */
function chainsOf(stack: readonly DiffId[]): ChainId[] {
  const chains: ChainId[] = [emptyChainId];
  for (const diffId of stack) chains.push(extendChain(chains.at(-1)!, diffId));
  return chains;
}

function keptBytes(tree: RootfsTree): number {
  return treeBytes(tree) + planBytesPerNode * tree.nodeCount;
}
