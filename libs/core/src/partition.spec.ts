import { parseRepositoryName } from './name.js';
import { partitionOf } from './partition.js';

describe('partitionOf', () => {
  // The first four bytes of the sha256, by `printf %s NAME | sha256sum`: fixed for ever, the log depends on it.
  it.each([
    ['debian', 16, 7],
    ['team/app', 16, 4],
    ['library/node', 3, 1],
    ['library/node', 1000, 139],
  ])('of %s among %i is %i', (name, count, partition) => {
    expect(partitionOf(parseRepositoryName(name), count)).toBe(partition);
  });

  it('of one partition is that one', () => {
    expect(partitionOf(parseRepositoryName('any'), 1)).toBe(0);
  });
});
