import { judgeConditions, rangeInForce } from './precondition.js';

const etag = '"u1w1-ab"';

describe('judgeConditions', () => {
  it.each([
    [{}, 'go'],
    [{ ifMatch: etag }, 'go'],
    [{ ifMatch: `"x", ${etag}` }, 'go'],
    [{ ifMatch: '*' }, 'go'],
    [{ ifMatch: '"x"' }, 'failed'],
    [{ ifMatch: `W/${etag}` }, 'failed'],
    [{ ifNoneMatch: etag }, 'not-modified'],
    [{ ifNoneMatch: `W/${etag}` }, 'not-modified'],
    [{ ifNoneMatch: '*' }, 'not-modified'],
    [{ ifNoneMatch: '"x"' }, 'go'],
    [{ ifMatch: '"x"', ifNoneMatch: etag }, 'failed'],
  ])('answers %j with %s', (conditions, judged) => {
    expect(judgeConditions(conditions, etag)).toBe(judged);
  });
});

describe('rangeInForce', () => {
  it('forgets a range of other bytes, and of a date', () => {
    expect(rangeInForce({ range: 'bytes=1-', ifRange: etag }, etag)).toBe('bytes=1-');
    expect(rangeInForce({ range: 'bytes=1-' }, etag)).toBe('bytes=1-');
    expect(rangeInForce({ range: 'bytes=1-', ifRange: '"x"' }, etag)).toBeUndefined();
    expect(rangeInForce({ range: 'bytes=1-', ifRange: 'Mon, 23 Nov 2026 00:00:00 GMT' }, etag)).toBeUndefined();
  });
});
