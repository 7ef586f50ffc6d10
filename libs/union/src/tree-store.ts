import type { ChainId, DiffId } from '#core/digest';
import { isVarveError, VarveError } from '#core/error';
import { downStack, type LayerStack, stackOn } from '#core/layer-stack';
import type { RepositoryName } from '#core/name';
import type { LayerIndex } from '#tar/layer-index';
import { mergeLayerInTurns } from './merge-trees.js';
import { emptyTree, releaseTree, type RootfsTree, treeBytes } from './rootfs-tree.js';
import type { TreeCheckpoints } from './tree-checkpoints.js';
import type { StackTree } from './tree-codec.js';
import type { TreePacking } from './tree-packing.js';

export interface TreeStoreOptions {
  /** Reads the index of a layer of a repository. @throws BLOB_UNKNOWN, CORRUPT, UNAVAILABLE */
  loadIndex(repo: RepositoryName, diffId: DiffId): Promise<LayerIndex>;
  /** How much memory trees may take that nobody is using. */
  readonly cacheBytes: number;
  /** Where trees outlive the process. Absent: they do not. */
  readonly checkpoints?: Pick<TreeCheckpoints, 'read' | 'writeSoon'>;
  /** Who packs the bodies of trees that draw from many layers. Absent: nobody does. */
  readonly packing?: TreePacking;
}

/** What a plan takes beside its tree, for each node. */
const planBytesPerNode = 8;
/** Every tree of so many layers, or a multiple, is written when a branch grows past it. */
const checkpointLayers = 64;
/** A tree that took this many merges is written too, so that the next process does not merge them again. */
const mergesMax = 8;

/**
 * The merged tree of any stack. Trees are kept by chainID, the least recently used go first; a longer stack is made
 * from the longest part of it that is kept in memory or was written as a checkpoint. Equal calls at one time share one
 * merge.
 */
export class TreeStore {
  readonly #options: TreeStoreOptions;
  /** In the order of their last use. */
  readonly #kept = new Map<ChainId, StackTree>();
  #keptBytes = 0;
  readonly #underway = new Map<string, Promise<RootfsTree>>();

  constructor(options: TreeStoreOptions) {
    this.#options = options;
  }

  /**
   * @throws LAYER_INVALID (a layer has no meaning on those below it; detail names it as `layer`), LIMIT_EXCEEDED,
   * BLOB_UNKNOWN, CORRUPT, UNAVAILABLE
   */
  async tree(repo: RepositoryName, stack: LayerStack): Promise<RootfsTree> {
    const tree = await this.#stored(repo, stack);
    // A tree that somebody wants is packed, and written again: the checkpoint tells the packs.
    const written = (isPacked: boolean): void =>
      void (isPacked && this.#options.checkpoints?.writeSoon({ stack, tree }));
    this.#options.packing?.lookSoon(repo, tree, written);
    return tree;
  }

  /** The tree of a stack and one layer on top of it, whose index need not be stored yet. @throws as `tree` */
  treeWith(
    repo: RepositoryName,
    stack: LayerStack,
    added: { readonly diffId: DiffId; readonly index: LayerIndex },
  ): Promise<RootfsTree> {
    const whole = stackOn(stack, [added.diffId]);
    // Not shared with `tree`, which fails for a layer that is not stored.
    return this.#shared(whole, `with ${repo}`, async () => {
      const tree = await this.#putOn(await this.#stored(repo, stack), added);
      if (whole.depth % checkpointLayers === 0) this.#writeSoon(repo, { stack: whole, tree }, added.diffId);
      return tree;
    });
  }

  /**
   * The stack of a chainID, when its tree is in memory or written. Where a history is walked down to find the stack of a
   * commit, the walk may end here. @throws UNAVAILABLE
   */
  async knownStack(chainId: ChainId, depth: number): Promise<LayerStack | undefined> {
    const known = await this.#known(chainId);
    return known?.stack.depth === depth ? known.stack : undefined;
  }

  #stored(repo: RepositoryName, stack: LayerStack): Promise<RootfsTree> {
    return this.#shared(stack, `tree ${repo}`, () => this.#merged(repo, stack));
  }

  /** Packs what is to be packed, and then writes the tree. */
  #writeSoon(repo: RepositoryName, tree: StackTree, unstored?: DiffId): void {
    const { packing, checkpoints } = this.#options;
    const write = (): void => checkpoints?.writeSoon(tree);
    if (packing) packing.lookSoon(repo, tree.tree, write, unstored);
    else write();
  }

  async #putOn(lower: RootfsTree, layer: { diffId: DiffId; index: LayerIndex }): Promise<RootfsTree> {
    const tree = await putOn(lower, layer);
    this.#options.packing?.grew(lower, tree);
    return tree;
  }

  /** Waits for a merge of the same stack in the same repository when there is one: another may lack the layers. */
  #shared(stack: LayerStack, kind: string, make: () => Promise<RootfsTree>): Promise<RootfsTree> {
    const { chainId, depth } = stack;
    if (depth === 0) return Promise.resolve(emptyTree);
    const kept = this.#take(chainId);
    if (kept) return Promise.resolve(kept.tree);
    const key = `${chainId} ${kind}`;
    const underway = this.#underway.get(key);
    if (underway) return underway;
    const making = make()
      .then((tree) => this.#keep({ stack, tree }).tree)
      .finally(() => this.#underway.delete(key));
    this.#underway.set(key, making);
    return making;
  }

  async #merged(repo: RepositoryName, stack: LayerStack): Promise<RootfsTree> {
    const missing: DiffId[] = [];
    let tree = emptyTree;
    for (const { stack: part, top } of downStack(stack)) {
      const mayBeWritten = missing.length === 0 || part.depth % checkpointLayers === 0;
      const known = mayBeWritten ? await this.#known(part.chainId) : this.#take(part.chainId);
      if (known) {
        tree = known.tree;
        break;
      }
      missing.push(top);
    }
    const known = tree;
    for (const diffId of missing.toReversed()) {
      const lower = tree;
      tree = await this.#putOn(lower, { diffId, index: await this.#options.loadIndex(repo, diffId) });
      if (lower !== known) releaseTree(lower);
    }
    if (missing.length >= mergesMax) this.#writeSoon(repo, { stack, tree });
    return tree;
  }

  /** A tree that is kept, or was written. */
  async #known(chainId: ChainId): Promise<StackTree | undefined> {
    const kept = this.#take(chainId);
    if (kept) return kept;
    const written = await this.#options.checkpoints?.read(chainId);
    if (!written) return undefined;
    const { stack, tree, looseLayers } = written;
    if (looseLayers !== null) this.#options.packing?.read(tree, looseLayers);
    return this.#keep({ stack, tree });
  }

  #take(chain: ChainId): StackTree | undefined {
    const tree = this.#kept.get(chain);
    if (tree) {
      this.#kept.delete(chain);
      this.#kept.set(chain, tree);
    }
    return tree;
  }

  /** Keeps it, unless another was faster: then that one, so that all share one plan. */
  #keep(tree: StackTree): StackTree {
    const chain = tree.stack.chainId;
    const other = this.#take(chain);
    if (other) return other;
    this.#kept.set(chain, tree);
    this.#keptBytes += keptBytes(tree.tree);
    for (const [oldest, old] of this.#kept) {
      if (this.#keptBytes <= this.#options.cacheBytes) break;
      this.#kept.delete(oldest);
      this.#keptBytes -= keptBytes(old.tree);
    }
    return tree;
  }
}

async function putOn(tree: RootfsTree, layer: { diffId: DiffId; index: LayerIndex }): Promise<RootfsTree> {
  try {
    return await mergeLayerInTurns(tree, layer);
  } catch (cause) {
    if (!isVarveError(cause)) throw cause;
    const { diffId } = layer;
    const where = `layer ${diffId}, number ${tree.depth} of its stack`;
    throw new VarveError(cause.code, `${where}: ${cause.message}`, { ...cause.detail, layer: diffId }, { cause });
  }
}

function keptBytes(tree: RootfsTree): number {
  return treeBytes(tree) + planBytesPerNode * tree.nodeCount;
}
