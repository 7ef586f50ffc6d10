import { pagerLine } from './pager.js';

describe('the pager', () => {
  it.each([
    ['less when nothing is said', {}, 'less -FRX'],
    ['what PAGER says', { PAGER: 'more -s' }, 'more -s'],
    ['none when PAGER is empty', { PAGER: '' }, null],
    ['none when PAGER is cat', { PAGER: ' cat ' }, null],
  ])('is %s', (_what, env, line) => {
    expect(pagerLine(env)).toBe(line);
  });
});
