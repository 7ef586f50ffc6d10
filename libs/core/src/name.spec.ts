import { branchRef, isTag, parseRefName, parseRepositoryName, shortRefName, tagRef } from './name.js';

const invalid = expect.objectContaining({ code: 'NAME_INVALID' });

describe('a repository name', () => {
  it.each(['a', 'debian', 'library/debian', 'a.b_c__d-e---f/g0', 'a'.repeat(255)])('may be %j', (name) => {
    expect(parseRepositoryName(name)).toBe(name);
  });

  it.each(['', 'A', 'a/', '/a', 'a//b', 'a..b', 'a___b', '-a', 'a-', '.a', 'a b', 'ä', '../a', 'a\n', 'a'.repeat(256)])(
    'may not be %j',
    (name) => {
      expect(() => parseRepositoryName(name)).toThrow(invalid);
    },
  );
});

describe('a branch', () => {
  it.each(['main', 'feature/x', 'ä', 'a.b', 'A@b', '1'])('may be %j', (name) => {
    expect(branchRef(name)).toBe(`refs/heads/${name}`);
  });

  // The list of git check-ref-format, and a name that would be an option.
  it.each([
    '', 'a..b', 'a b', 'a~b', 'a^b', 'a:b', 'a?b', 'a*b', 'a[b', 'a\\b', 'a\u007fb', 'a\tb', '/a', 'a/', 'a//b', 'a.',
    '.a', 'a/.b', 'a.lock', 'a.lock/b', '@', 'a@{b', '-a', 'a\ud800', 'a'.repeat(245),
  ])('may not be %j', (name) => {
    expect(() => branchRef(name)).toThrow(invalid);
  }); // prettier-ignore
});

describe('a tag', () => {
  it.each(['v1', '_x', 'V1.2-rc_3', 'a'.repeat(128)])('may be %j', (name) => {
    expect(tagRef(name)).toBe(`refs/tags/${name}`);
  });

  it.each(['', '.a', '-a', 'a/b', 'a b', 'ä', 'a'.repeat(129)])('may not be %j', (name) => {
    expect(() => tagRef(name)).toThrow(invalid);
  });
});

describe('the full name of a ref', () => {
  it.each([
    ['refs/heads/main', 'refs/heads/main', 'main', false],
    ['heads/feature/x', 'refs/heads/feature/x', 'feature/x', false],
    ['tags/v1', 'refs/tags/v1', 'v1', true],
    ['refs/tags/v1', 'refs/tags/v1', 'v1', true],
  ])('is read from %j', (text, full, short, tag) => {
    const ref = parseRefName(text);
    expect(ref).toBe(full);
    expect(shortRefName(ref)).toBe(short);
    expect(isTag(ref)).toBe(tag);
  });

  it.each(['main', 'refs/main', 'refs/remotes/x', 'refs/heads/', 'refs/tags/a/b', ''])('is not %j', (text) => {
    expect(() => parseRefName(text)).toThrow(invalid);
  });
});
