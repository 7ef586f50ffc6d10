import { isVarveError } from '#core/error';
import { parseImageName, parseRefNameAnnotation } from './image-name.js';

describe('parseImageName', () => {
  it.each([
    ['busybox:1', 'busybox', 'refs/tags/1'],
    ['busybox', 'busybox', 'refs/tags/latest'],
    ['team/app:v1', 'team/app', 'refs/tags/v1'],
    ['docker.io/library/busybox:1', 'busybox', 'refs/tags/1'],
    ['library/busybox:1', 'busybox', 'refs/tags/1'],
    ['localhost/app:1', 'app', 'refs/tags/1'],
    ['127.0.0.1:5000/team/app:v1', 'team/app', 'refs/tags/v1'],
    ['registry:5000/app', 'app', 'refs/tags/latest'],
    ['HOST/app:1', 'app', 'refs/tags/1'],
    [`docker.io/library/x@sha256:${'a'.repeat(64)}`, 'x', 'refs/heads/main'],
    [`x:7@sha256:${'a'.repeat(64)}`, 'x', 'refs/tags/7'],
  ])('reads %s as %s %s', (text, repository, ref) => {
    expect(parseImageName(text)).toEqual({ text, repository, ref });
  });

  it.each(['', ':1', 'App:1', 'app:', 'app:-x', 'a//b:1', '../x:1'])('refuses "%s" with NAME_INVALID', (text) => {
    expect(() => parseImageName(text)).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }));
  });
});

describe('parseRefNameAnnotation', () => {
  it('takes a word without : or / for a tag, and no repository', () => {
    expect(parseRefNameAnnotation('latest')).toEqual({ text: 'latest', repository: null, ref: 'refs/tags/latest' });
  });

  it('takes anything else for a whole name', () => {
    expect(parseRefNameAnnotation('localhost/x:7')).toMatchObject({ repository: 'x', ref: 'refs/tags/7' });
  });

  it('refuses what is no tag', () => {
    expect.assertions(1);
    try {
      parseRefNameAnnotation('+x');
    } catch (error) {
      expect(isVarveError(error, 'NAME_INVALID')).toBe(true);
    }
  });
});
