import { paintFor } from './colour.js';

describe('colours', () => {
  it.each([
    ['a terminal', { isTTY: true }, {}, true],
    ['a pipe', {}, {}, false],
    ['a terminal of somebody who wants none', { isTTY: true }, { NO_COLOR: '1' }, false],
    ['a terminal with an empty NO_COLOR, which means nothing', { isTTY: true }, { NO_COLOR: '' }, true],
    ['a terminal that knows none', { isTTY: true }, { TERM: 'dumb' }, false],
  ])('are for %s: %j %j %s', (_what, stream, env, isPainted) => {
    expect(paintFor(stream, env)('red', 'text')).toBe(isPainted ? '\u001b[31mtext\u001b[0m' : 'text');
  });
});
