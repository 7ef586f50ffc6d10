import { type ChainId, type DiffId, emptyChainId, extendChain } from './digest.js';

/**
 * A stack of layers, as its top layers on a stack below. The stacks of one branch share what they have in common, so a
 * stack of ten thousand layers costs no more to pass on, or to put a layer on, than one of ten. Never changed.
 */
export interface LayerStack {
  readonly chainId: ChainId;
  /** Layers in all. */
  readonly depth: number;
  /** Null for the stack without layers alone. */
  readonly below: LayerStack | null;
  /** What lies on the stack below, lowest first. */
  readonly layers: readonly DiffId[];
}

/** The stack without layers. */
export const emptyStack: LayerStack = { chainId: emptyChainId, depth: 0, below: null, layers: [] };

/** Puts layers, lowest first, on a stack. Whoever knows the chainID of the result saves hashing all of them. */
export function stackOn(
  below: LayerStack,
  layers: readonly DiffId[],
  chainId = layers.reduce(extendChain, below.chainId),
): LayerStack {
  return layers.length === 0 ? below : { chainId, depth: below.depth + layers.length, below, layers };
}

/** The stack of these layers, lowest first. */
export function stackOfLayers(layers: readonly DiffId[]): LayerStack {
  return stackOn(emptyStack, layers);
}

/** All layers of a stack, lowest first. */
export function layersOfStack(stack: LayerStack): DiffId[] {
  const upperFirst: (readonly DiffId[])[] = [];
  for (let at: LayerStack | null = stack; at !== null; at = at.below) upperFirst.push(at.layers);
  return upperFirst.toReversed().flat();
}

/** A stack and the stacks below it, each one layer lower, down to but without the empty one. */
export function* downStack(stack: LayerStack): Generator<{ readonly stack: LayerStack; readonly top: DiffId }> {
  for (let at = stack; at.below !== null; at = at.below) {
    const singles: LayerStack[] = [];
    let below = at.below;
    for (const diffId of at.layers.slice(0, -1)) singles.push((below = stackOn(below, [diffId])));
    yield { stack: at, top: at.layers.at(-1)! };
    for (const single of singles.toReversed()) yield { stack: single, top: single.layers[0]! };
  }
}
