import { matchGlob } from './glob.js';

describe('a glob', () => {
  it.each([
    ['*.so', 'libc.so', true],
    ['*.so', 'libc.so.6', false],
    ['lib*.so*', 'libc.so.6', true],
    ['?at', 'cat', true],
    ['?at', 'at', false],
    ['[bc]at', 'cat', true],
    ['[!bc]at', 'cat', false],
    ['[a-c]at', 'bat', true],
    ['[a-c]at', 'dat', false],
    ['[]]x', ']x', true],
    ['[x', '[x', true],
    ['\\*', '*', true],
    ['\\*', 'x', false],
    ['', '', true],
    ['*', '', true],
    ['a*b*c', 'aXbYbZc', true],
    ['a*b*c', 'aXbYbZ', false],
    ['?', 'ő', true],
    ['?', '😀', true],
  ])('%s and %s: %s', (glob, name, fits) => {
    expect(matchGlob(glob, name)).toBe(fits);
  });

  it('takes no long way to say no', () => {
    const startedAt = performance.now();
    expect(matchGlob(`${'*a'.repeat(100)}b`, 'a'.repeat(255))).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});
