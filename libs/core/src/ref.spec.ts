import type { CommitId } from './commit.js';
import { formatRefValue, sameRefValue } from './ref.js';

const a = 'a'.repeat(64) as CommitId;
const b = 'b'.repeat(64) as CommitId;

describe('the value of a ref', () => {
  it.each([
    ['equal in both', { commit: a, version: 2 }, true],
    ['at another commit', { commit: b, version: 2 }, false],
    ['back at the same commit, moved since', { commit: a, version: 4 }, false],
    ['deleted', { commit: null, version: 2 }, false],
  ])('is compared by commit and version: %s', (_title, other, same) => {
    expect(sameRefValue({ commit: a, version: 2 }, other)).toBe(same);
  });

  it('reads in a message', () => {
    expect(formatRefValue({ commit: null, version: 3 })).toBe('nothing, version 3');
    expect(formatRefValue({ commit: a, version: 1 })).toBe(`${a}, version 1`);
  });
});
