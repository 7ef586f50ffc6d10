import { chainIdOf, digestOf, type DiffId, emptyChainId } from './digest.js';
import { downStack, emptyStack, layersOfStack, stackOfLayers, stackOn } from './layer-stack.js';

const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((text) => digestOf(text) as DiffId) as [DiffId, DiffId, DiffId, DiffId];

describe('LayerStack', () => {
  it('is empty without layers', () => {
    expect(stackOfLayers([])).toBe(emptyStack);
    expect(stackOn(emptyStack, [])).toBe(emptyStack);
    expect(emptyStack.chainId).toBe(emptyChainId);
    expect([...downStack(emptyStack)]).toEqual([]);
  });

  it('has the chainID, the depth and the layers of its layers, however it was put together', () => {
    const together = stackOfLayers([a, b, c]);
    const oneByOne = stackOn(stackOn(stackOn(emptyStack, [a]), [b]), [c]);
    for (const stack of [together, oneByOne, stackOn(stackOfLayers([a]), [b, c])]) {
      expect(stack.chainId).toBe(chainIdOf([a, b, c]));
      expect(stack.depth).toBe(3);
      expect(layersOfStack(stack)).toEqual([a, b, c]);
    }
  });

  it('goes down layer by layer', () => {
    const stack = stackOn(stackOn(emptyStack, [a, b]), [c, d]);
    expect([...downStack(stack)].map(({ stack: { chainId, depth }, top }) => [chainId, depth, top])).toEqual([
      [chainIdOf([a, b, c, d]), 4, d],
      [chainIdOf([a, b, c]), 3, c],
      [chainIdOf([a, b]), 2, b],
      [chainIdOf([a]), 1, a],
    ]);
  });
});
