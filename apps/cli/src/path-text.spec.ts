import { pathText, revisionAndPath } from './path-text.js';

describe('a revision and a path', () => {
  it.each([
    ['main:etc/motd', undefined, 'main', 'etc/motd'],
    ['main', 'etc', 'main', 'etc'],
    ['main', undefined, 'main', undefined],
    ['main@{1}~2:a:b', undefined, 'main@{1}~2', 'a:b'],
    ['main:', undefined, 'main', ''],
    [':/fix: it', undefined, ':/fix: it', undefined],
  ])('are read from %s and %s', (text, more, rev, path) => {
    expect(revisionAndPath(text, more)).toEqual({ rev, path });
  });

  it('are not two paths', () => {
    expect(() => revisionAndPath('main:a', 'b')).toThrow(/another one/);
  });
});

describe('the text of a path', () => {
  it('cannot command a terminal or break its line', () => {
    expect(pathText({ path: 'a\u001b[31m\nb\tc' })).toBe('a\\u001b[31m\\u000ab\\u0009c');
    expect(pathText({ path: '' })).toBe('/');
  });
});
