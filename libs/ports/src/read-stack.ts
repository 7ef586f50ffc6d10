import type { ChainId, DiffId } from '#core/digest';
import { VarveError } from '#core/error';
import type { CommitRow } from '#core/graph-row';
import { emptyStack, layersOfStack, type LayerStack, stackOn } from '#core/layer-stack';
import type { GraphReader } from './graph-store.js';

/** Somebody who knows stacks that the graph tells only commit by commit: the store of merged trees. */
export interface KnownStacks {
  knownStack(chainId: ChainId, depth: number): Promise<LayerStack | undefined>;
}

/** A chainID is the stack, so what is kept never grows stale, whatever graph it came from. */
const kept = new Map<ChainId, LayerStack>();
const keptMax = 20_000;
/** Of the stacks on the way down, these are asked for: those that are likely to be known. */
const askedLayers = 64;

/**
 * The layers a commit means: its own on those of its first parent, down to a commit that stands on nothing. A walk ends
 * at the first stack that is known already: on a branch that grows, at the parent. @throws CORRUPT, UNAVAILABLE
 */
export async function layerStackOf(
  graph: Pick<GraphReader, 'commitAt' | 'commitBytes'>,
  known: KnownStacks,
  commit: CommitRow,
): Promise<LayerStack> {
  const upper: { readonly chainId: ChainId; readonly layers: readonly DiffId[] }[] = [];
  let stack = emptyStack;
  let missing = commit.stackLayers;
  let row = commit;
  while (missing > 0) {
    const found = await lookUp(known, row, row === commit);
    if (found) {
      stack = found;
      break;
    }
    const layers = await layersOf(graph, row);
    if (layers.length > 0) upper.push({ chainId: row.chainId, layers });
    missing -= layers.length;
    if (missing > 0) row = await parentOf(graph, row);
  }
  for (const { chainId, layers } of upper.toReversed()) stack = keep(stackOn(stack, layers, chainId));
  return stack;
}

/** The same as a list, lowest first, for those who look at every layer. @throws CORRUPT */
export async function stackOf(
  graph: Pick<GraphReader, 'commitAt' | 'commitBytes'>,
  commit: CommitRow,
): Promise<DiffId[]> {
  return layersOfStack(await layerStackOf(graph, { knownStack: async () => undefined }, commit));
}

/** What two stacks do not share: how many lowest layers they do, and the rest of each, lowest first. */
export interface StacksApart {
  readonly shared: number;
  readonly before: readonly DiffId[];
  readonly after: readonly DiffId[];
}

/** Null is the stack without layers. Walks no further down than to what both have in common. @throws CORRUPT, UNAVAILABLE */
export async function stacksApart(
  graph: Pick<GraphReader, 'commitAt' | 'commitBytes'>,
  before: CommitRow | null,
  after: CommitRow | null,
): Promise<StacksApart> {
  const [a, b] = [new WayDown(graph, before), new WayDown(graph, after)];
  while (a.chainId !== b.chainId) await (a.depth >= b.depth ? a.down() : b.down());
  const [mine, other] = [a.upper(), b.upper()];
  const differs = mine.findIndex((diffId, at) => diffId !== other[at]);
  // A commit may have several layers of which the lower ones are the same.
  const same = differs === -1 ? mine.length : differs;
  return { shared: a.depth + same, before: mine.slice(same), after: other.slice(same) };
}

/** A walk down the stack of a commit, by commits that have layers. */
class WayDown {
  readonly #graph: Pick<GraphReader, 'commitAt' | 'commitBytes'>;
  readonly #passed: (readonly DiffId[])[] = [];
  #row: CommitRow | null;
  depth: number;

  constructor(graph: Pick<GraphReader, 'commitAt' | 'commitBytes'>, row: CommitRow | null) {
    this.#graph = graph;
    this.#row = row;
    this.depth = row?.stackLayers ?? 0;
  }

  get chainId(): ChainId {
    return this.#row?.chainId ?? emptyStack.chainId;
  }

  /** What was passed, lowest first. */
  upper(): DiffId[] {
    return this.#passed.toReversed().flat();
  }

  async down(): Promise<void> {
    const row = this.#row!;
    const layers = await layersOf(this.#graph, row);
    this.#passed.push(layers);
    this.depth -= layers.length;
    this.#row = this.depth === 0 ? null : await parentOf(this.#graph, row);
  }
}

async function lookUp(
  known: KnownStacks,
  { chainId, stackLayers }: CommitRow,
  isFirst: boolean,
): Promise<LayerStack | undefined> {
  const stack = kept.get(chainId);
  if (stack || !(isFirst || stackLayers % askedLayers === 0)) return stack;
  const found = await known.knownStack(chainId, stackLayers);
  return found && keep(found);
}

function keep(stack: LayerStack): LayerStack {
  kept.set(stack.chainId, stack);
  if (kept.size > keptMax) {
    const [oldest] = kept.keys();
    if (oldest !== undefined) kept.delete(oldest);
  }
  return stack;
}

async function parentOf(graph: Pick<GraphReader, 'commitAt'>, { repo, id, parents }: CommitRow): Promise<CommitRow> {
  const parent = parents[0] === undefined ? undefined : await graph.commitAt(repo, parents[0]);
  if (parent) return parent;
  throw new VarveError('CORRUPT', `the graph of ${repo} does not hold the first parent of commit ${id}`, {
    commit: id,
  });
}

/** The bytes were checked when they were accepted; hashing each on a long way again would cost more than the way. */
async function layersOf(graph: Pick<GraphReader, 'commitBytes'>, { repo, id }: CommitRow): Promise<readonly DiffId[]> {
  const bytes = await graph.commitBytes(repo, id);
  if (!bytes)
    throw new VarveError('CORRUPT', `the graph of ${repo} has lost the bytes of commit ${id}`, { commit: id });
  return (JSON.parse(Buffer.from(bytes).toString()) as { readonly layers: readonly DiffId[] }).layers;
}
