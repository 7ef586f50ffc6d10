import type { ChainId, DiffId } from '#core/digest';
import { VarveError } from '#core/error';
import type { CommitRow } from '#core/graph-row';
import type { GraphReader } from './graph-store.js';

/** A stack as its top layers on a stack below, so that the stacks of one branch share what they have in common. */
interface Stack {
  readonly below: Stack | null;
  readonly layers: readonly DiffId[];
}

/** A chainID is the stack, so what is kept never grows stale, whatever graph it came from. */
const kept = new Map<ChainId, Stack>();
const keptMax = 20_000;

/**
 * The layers a commit means, lowest first: its own on those of its first parent, down to a commit that stands on
 * nothing. A walk ends at the first stack that is known already: on a branch that grows, at the parent. @throws CORRUPT
 */
export async function stackOf(
  graph: Pick<GraphReader, 'commitAt' | 'commitBytes'>,
  commit: CommitRow,
): Promise<DiffId[]> {
  const upper: { readonly chainId: ChainId; readonly layers: readonly DiffId[] }[] = [];
  let below: Stack | null = null;
  let missing = commit.stackLayers;
  let row = commit;
  while (missing > 0) {
    below = kept.get(row.chainId) ?? null;
    if (below) break;
    const layers = await layersOf(graph, row);
    if (layers.length > 0) upper.push({ chainId: row.chainId, layers });
    missing -= layers.length;
    if (missing > 0) row = await parentOf(graph, row);
  }
  for (const { chainId, layers } of upper.toReversed()) {
    below = { below, layers };
    keep(chainId, below);
  }
  return flatten(below);
}

function keep(chainId: ChainId, stack: Stack): void {
  kept.set(chainId, stack);
  if (kept.size <= keptMax) return;
  const [oldest] = kept.keys();
  if (oldest !== undefined) kept.delete(oldest);
}

function flatten(stack: Stack | null): DiffId[] {
  const upperFirst: (readonly DiffId[])[] = [];
  for (let at = stack; at !== null; at = at.below) upperFirst.push(at.layers);
  return upperFirst.toReversed().flat();
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
